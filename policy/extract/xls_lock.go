package extract

// unlock reads a record that says how a workbook is encrypted.
func (r *workbookReader) unlock([]byte) bool { return false }
