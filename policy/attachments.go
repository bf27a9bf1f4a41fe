package policy

import (
	"bytes"
	"slices"

	"sampul/policy/extract"
)

// attachments is what limits and handling look at.
type attachments struct {
	size  int64 // of the message's own attachments, decoded: what stands in archives counts once
	count int

	executable, macros, double string // path of the first such file, "" for none
}

// executables are names of files that run when they are opened. A system that is told to
// open one goes by its name, whatever is in it.
var executables = []string{"exe", "com", "scr", "pif", "bat", "cmd", "vbs", "vbe", "js", "jse", "wsf", "wsh", "hta", "cpl", "msi", "msp",
	"ps1", "jar", "lnk", "reg", "chm", "scf", "gadget", "application", "appx", "msix", "dll", "sys", "apk", "app"}

// documents are the names that executables hide behind: "surat.pdf.exe".
var documents = []string{"pdf", "doc", "docx", "docm", "xls", "xlsx", "xlsm", "ppt", "pptx", "odt", "ods", "odp", "rtf", "txt", "csv", "htm", "html",
	"jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "mp3", "mp4", "avi", "zip", "rar", "7z", "eml", "msg", "ics"}

// attached looks through the files once a message.
func (j *judgement) attached() *attachments {
	if j.att != nil {
		return j.att
	}
	a := &attachments{}
	j.att = a
	first := func(at *string, f *extract.File) {
		if *at == "" {
			*at = f.Path
		}
	}
	for i := range j.rep.Files {
		f := &j.rep.Files[i]
		if f.Depth == 0 {
			a.size += f.Size
			a.count++
		}
		ends := extensions(f.Name)
		runs := len(ends) > 0 && slices.Contains(executables, ends[len(ends)-1])
		switch {
		case runs && len(ends) > 1 && slices.Contains(documents, ends[len(ends)-2]):
			first(&a.double, f)
			fallthrough
		case runs, f.Kind == "executable":
			first(&a.executable, f)
		}
		if f.Macros {
			first(&a.macros, f)
		}
	}
	return a
}

// applyLimits holds attachments to what agencies on both sides allow.
func (j *judgement) applyLimits() {
	if len(j.rep.Files) == 0 {
		return
	}
	a := j.attached()
	for i := range j.dirs {
		for _, r := range j.rules.play(j.from.agency, j.recipient(i).Agency) {
			c := cause{agency: r.agency}
			for _, l := range []struct {
				kind   causeKind
				hit    bool
				action Action
				path   string
				limit  int64
			}{
				{bySize, a.size > r.size, Reject, "", r.size},
				{byCount, r.count > 0 && a.count > r.count, Reject, "", int64(r.count)},
				{byDouble, a.double != "", r.double, a.double, 0},
				{byExecutable, a.executable != "", r.executable, a.executable, 0},
				{byMacros, a.macros != "", r.macros, a.macros, 0},
			} {
				if l.hit {
					c.kind, c.path, c.limit = l.kind, l.path, l.limit
					j.act(i, l.action, c)
				}
			}
		}
	}
}

// listed says whether all that cannot be read is of kinds that an agency lets pass inside.
// It gives the names of those kinds.
func (j *judgement) listed(r *agencyRules) (names []string, ok bool) {
	if len(r.kinds) == 0 {
		return nil, false
	}
	for _, g := range j.v.gaps {
		before := len(names)
		for k := range j.rep.Files { // members of an archive may share a path: each must be listed
			f := &j.rep.Files[k]
			if f.Path != g.Path {
				continue
			}
			name := r.kindOf(f)
			if name == "" {
				return nil, false
			}
			names = append(names, name)
		}
		if g.Reason != extract.Opaque || len(names) == before {
			return nil, false
		}
	}
	slices.Sort(names)
	return slices.Compact(names), true
}

func (r *agencyRules) kindOf(f *extract.File) string {
	for _, k := range r.kinds {
		if bytes.HasPrefix(f.Head, k.magic) && extension(f.Name) == k.extension {
			return k.name
		}
	}
	return ""
}
