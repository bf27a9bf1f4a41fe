package peers

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Python is an interpreter that has the modules. Debian's own comes first: it has those of
// Debian's packages, which another one in PATH has not.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	for _, p := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(p, "-c", "import "+strings.Join(modules, ", ")).Run() == nil {
			return p
		}
	}
	const text = "no python3 has the modules %s: scripts/tools.sh installs what tests need"
	if os.Getenv("CI") == "true" {
		t.Fatalf(text, strings.Join(modules, ", "))
	}
	t.Skipf(text, strings.Join(modules, ", "))
	return ""
}
