package smtpout

import (
	"sampul/mta/tlsrpt"
)

// report counts what became of TLS with one host, RFC 8460. The fault is nil when it came up.
func (p *Pool) report(s *session, f *fault, seen *verdict) {
	d := &s.end.security
	if p.Report == nil || d.domain == "" {
		return
	}
	local, remote := s.addresses()
	o := tlsrpt.Outcome{Domain: d.domain, Policy: d.policy, MXHost: s.end.host, SendingIP: local, ReceivingIP: remote}
	switch {
	case f != nil:
		o.Result, o.Info = f.tlsType, f.text
	case d.unlisted:
		o.Result, o.Info = "validation-failure", s.end.host+" is not among the hosts of the policy"
	case seen != nil && seen.watched != nil:
		o.Result, o.Info = resultType(seen.watched), seen.watched.Error()
	case d.problem != nil:
		o.Result, o.Info = d.problem.Type, d.problem.Error()
	}
	p.Report.Note(o)
}

// reportPolicy counts a host that a policy ruled out before it was called.
func (p *Pool) reportPolicy(d *demand, host string, f *fault) {
	if p.Report == nil || d.domain == "" || f.tlsType == "" {
		return
	}
	p.Report.Note(tlsrpt.Outcome{Domain: d.domain, Policy: d.policy, MXHost: host, Result: f.tlsType, Info: f.text})
}
