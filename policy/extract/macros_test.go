package extract

import (
	"context"
	"testing"
)

// Program code of documents is told to those who handle attachments.
func TestMacrosOfDocuments(t *testing.T) {
	for _, tt := range []struct {
		member string
		want   bool
	}{
		{"word/vbaProject.bin", true}, {"xl/VBAPROJECT.BIN", true}, {"Basic/Standard/Module1.xml", true}, {"Scripts/python/a.py", true},
		{"Basic/Standard/script-lb.xml", false}, // a library without anything in it
		{"word/document.xml", false}, {"nota/vba.txt", false},
	} {
		res, err := Read(context.Background(), Document{Name: "a.zip", Path: "a.zip", Depth: 1, Data: zipped(t, tt.member, "isi")}, Budget{})
		if err != nil || len(res.Files) == 0 {
			t.Fatalf("%s: %+v, %v", tt.member, res, err)
		}
		if got := res.Files[0].Macros; got != tt.want {
			t.Errorf("%s: macros %v, want %v", tt.member, got, tt.want)
		}
	}
}
