package bolt

import "testing"

// A number is found as it is printed, and as people write it down; its first letter may be C.
func TestIncidentNumbers(t *testing.T) {
	for typed, want := range map[string]string{
		"I-7K2M-3FX": "I-7K2M-3FX", "i7k2m3fx": "I-7K2M-3FX", " 7K2M 3FX ": "I-7K2M-3FX", "C-7K2M-3FX": "I-7K2M-3FX",
		"I-CNHC-8C9": "I-CNHC-8C9", "C-CNHC-8C9": "I-CNHC-8C9", "CNHC8C9": "I-CNHC-8C9",
		"": "", "I": "", "X-7K2M-3FX": "",
	} {
		if got := incidentID(typed); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
