package message

import (
	"strconv"
	"strings"
)

// AppendStructure adds IMAP's BODYSTRUCTURE of the part, or BODY without extension
// data (RFC 9051 section 7.5.2).
func (x *Index) AppendStructure(dst []byte, part int, extended bool) []byte {
	p := &x.Parts[part]
	if p.Type == "multipart" && len(p.Children) > 0 && !p.Message {
		return x.appendMultipart(dst, p, extended)
	}
	typ, sub := p.Type, p.Subtype
	if typ == "multipart" || typ == "message" && sub == "rfc822" && !p.Message {
		// Without parts, or not looked into: these types would promise a structure
		// that is not there, and the grammar has no way to say so.
		typ, sub = "application", "octet-stream"
	}
	dst = append(dst, '(')
	dst = appendString(dst, strings.ToUpper(typ))
	dst = append(dst, ' ')
	dst = appendString(dst, strings.ToUpper(sub))
	dst = append(dst, ' ')
	dst = appendParams(dst, p.Params)
	dst = append(dst, ' ')
	dst = appendNString(dst, p.ID)
	dst = append(dst, ' ')
	dst = appendNString(dst, p.Description)
	dst = append(dst, ' ')
	dst = appendString(dst, strings.ToUpper(p.Encoding))
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, p.End-p.BodyStart, 10)
	switch {
	case p.Message && p.Subtype == "rfc822":
		inner := p.Children[0]
		dst = append(dst, ' ')
		dst = x.Parts[inner].appendEnvelope(dst)
		dst = append(dst, ' ')
		dst = x.AppendStructure(dst, inner, extended)
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, p.Lines, 10)
	case typ == "text":
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, p.Lines, 10)
	}
	if extended {
		dst = append(dst, ' ')
		dst = appendNString(dst, p.MD5)
		dst = p.appendExtension(dst)
	}
	return append(dst, ')')
}

func (x *Index) appendMultipart(dst []byte, p *Part, extended bool) []byte {
	dst = append(dst, '(')
	for _, c := range p.Children {
		dst = x.AppendStructure(dst, c, extended)
	}
	dst = append(dst, ' ')
	dst = appendString(dst, strings.ToUpper(p.Subtype))
	if extended {
		dst = append(dst, ' ')
		dst = appendParams(dst, p.Params)
		dst = p.appendExtension(dst)
	}
	return append(dst, ')')
}

// appendExtension adds disposition, language and location.
func (p *Part) appendExtension(dst []byte) []byte {
	if p.Disposition == "" {
		dst = append(dst, " NIL "...)
	} else {
		dst = append(dst, " ("...)
		dst = appendString(dst, strings.ToUpper(p.Disposition))
		dst = append(dst, ' ')
		dst = appendParams(dst, p.DispParams)
		dst = append(dst, ") "...)
	}
	if len(p.Language) == 0 {
		dst = append(dst, "NIL "...)
	} else {
		for i, l := range p.Language {
			dst = append(dst, "( "[min(i, 1)])
			dst = appendString(dst, l)
		}
		dst = append(dst, ") "...)
	}
	return appendNString(dst, p.Location)
}

func appendParams(dst []byte, params []Param) []byte {
	if len(params) == 0 {
		return append(dst, "NIL"...)
	}
	for i, p := range params {
		dst = append(dst, "( "[min(i, 1)])
		dst = appendString(dst, strings.ToUpper(p.Name))
		dst = append(dst, ' ')
		dst = appendString(dst, p.Value)
	}
	return append(dst, ')')
}
