package extract

// flatOffice reads a document of Word in one file of XML.
func (w *walker) flatOffice(a at, data []byte) {
	p := &pack{w: w, a: a}
	p.word(a, Paragraph, data)
}
