package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// workers are the processes that read documents for the suite.
func (r *running) workers() (pids []int) {
	r.t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", r.cmd.Process.Pid))
	if err != nil || len(lists) == 0 {
		r.t.Fatalf("no list of children: %v", err)
	}
	for _, name := range lists {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // the thread is gone
		}
		for _, s := range strings.Fields(string(b)) {
			pid, err := strconv.Atoi(s)
			if err != nil {
				r.t.Fatal(err)
			}
			if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); string(line) == "sampul\x00worker\x00" {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// Workers sit in a jail, which is closed before they read anything, and neither their memory
// nor that of the suite goes to a core file. When they are killed, mail is judged all the
// same.
func TestWorkersOfASuite(t *testing.T) {
	need(t, "swaks")
	r := startDemo(t)
	marked := func(text string) string {
		return withAttachment("Bahan mesyuarat", "kertas.docx", docx(t, text))
	}
	refused := func(text string) {
		t.Helper()
		if out, err := r.swaks(marked(text), r.doors()["mx"]...); err == nil || !strings.Contains(out, "550 5.7.1 ") {
			t.Errorf("%v\n%s", err, out)
		}
	}
	refused("RAHSIA")
	pids := r.workers()
	if len(pids) == 0 {
		t.Fatal("a document was read, and there is no worker")
	}
	for _, pid := range pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`NoNewPrivs:\s+1`, `Seccomp:\s+2`} {
			if !regexp.MustCompile(want).Match(status) {
				t.Errorf("worker %d: no %s in\n%s", pid, want, status)
			}
		}
	}
	for _, pid := range append(pids, r.cmd.Process.Pid) {
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
		if err != nil || !regexp.MustCompile(`Max core file size\s+0\s+0\s`).Match(limits) {
			t.Errorf("process %d may leave a core file: %v\n%s", pid, err, limits)
		}
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	refused("RAHSIA BESAR")
	if again := r.workers(); len(again) == 0 || fmt.Sprint(again) == fmt.Sprint(pids) {
		t.Errorf("workers %v after %v were killed", again, pids)
	}
	last := r.workers()
	r.terminate()
	if s := r.log.String(); strings.Contains(s, "jail") || strings.Contains(s, "cannot be read") {
		t.Errorf("%s", s)
	}
	for _, pid := range last {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("worker %d outlives the suite", pid)
		}
	}
}
