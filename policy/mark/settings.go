package mark

// Settings are what administrators have said of marks. They hold for the whole suite, so
// that a document means the same to all agencies.
type Settings struct {
	// Version changes whenever the settings do: what was found under one is not believed
	// under another.
	Version string
	// Labels are the classes of labels by Microsoft's information protection, by "site/guid"
	// in lower case; "*/guid" is of any site.
	Labels map[string]Class
	// Codes are the letters in brackets of reference numbers, such as "R" or "TD", in capitals.
	Codes map[string]Class
	// Quotes is for a file of one's own, that a person wants explained: findings quote it.
	// Never for mail that passes through.
	Quotes bool
}
