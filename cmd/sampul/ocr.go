package main

import (
	"log/slog"
	"strings"

	"sampul/policy/extract"
	"sampul/policy/inspect"
	"sampul/policy/ocr"
)

// recogniser is what reads pictures on this machine; nil, and a line in the log, where
// nothing does. Then pictures of pages are refused.
func recogniser(log *slog.Logger) extract.Recogniser {
	program, err := ocr.Find()
	if err != nil {
		log.Warn("pictures are not read: those that look like pages are refused", "err", err)
		return nil
	}
	log.Info("pictures are read", "program", program.Path, "version", program.Version, "languages", strings.Join(program.Languages, "+"))
	return ocr.New(ocr.Options{Program: program, Command: inspect.Caged}).Recognise
}
