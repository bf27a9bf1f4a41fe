package extract

// officeMagics are what documents of old office programs begin with, and of what goes with
// them.
func officeMagics() []magic {
	xls := kind{name: "xls", read: readBIFF, apart: true}
	wmf := kind{name: "wmf", read: readWMF, apart: true}
	return []magic{
		{off: 0, bytes: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", kind: kind{name: "ole", read: readOLE, apart: true}},
		{off: 0, bytes: `{\rt`, kind: kind{name: "rtf", read: readRTF, apart: true}},
		{off: 0, bytes: "\x78\x9f\x3e\x22", kind: kind{name: "winmail.dat", read: readTNEF, apart: true}},
		{off: 0, bytes: "\x76\xe8\x04\x60\xc4\x11\xe3\x86", kind: kind{name: "rpmsg", read: readRightsManaged}},
		{off: 40, bytes: " EMF", kind: kind{name: "emf", read: readEMF, apart: true}, letters: true},
		{off: 0, bytes: "\xd7\xcd\xc6\x9a", kind: wmf},
		{off: 0, bytes: "\x01\x00\x09\x00\x00\x03", kind: wmf},
		// Workbooks without a container: of Excel 97, 95, 4, 3 and 2.
		{off: 0, bytes: "\x09\x08\x10\x00\x00\x06", kind: xls},
		{off: 0, bytes: "\x09\x08\x08\x00\x00\x05", kind: xls},
		{off: 0, bytes: "\x09\x04\x06\x00", kind: xls},
		{off: 0, bytes: "\x09\x02\x06\x00", kind: xls},
		{off: 0, bytes: "\x09\x00\x04\x00", kind: xls},
		// Word 2, which wrote none either.
		{off: 0, bytes: "\xdb\xa5", kind: kind{name: "doc", read: readWord2, apart: true}},
	}
}
