package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"sampul/policy/inspect"
)

// inspectOptions are what all that judge messages have in common. Code that workers compile
// is kept in dir, or with none among the user's caches.
func inspectOptions(dir string, log *slog.Logger) inspect.Options {
	return inspect.Options{Workers: runtime.GOMAXPROCS(0), CacheDir: compiledCode(dir), Log: log}
}

// compiledCode is the directory where compiled code is kept: nobody else may write there,
// since what stands in it is run. "" where there can be none.
func compiledCode(dir string) string {
	if dir == "" {
		caches, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(caches, "sampul")
	}
	dir, err := filepath.Abs(filepath.Join(dir, "compiled"))
	if err != nil || os.MkdirAll(dir, 0o700) != nil {
		return ""
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm()&0o022 != 0 {
		return ""
	}
	return dir
}
