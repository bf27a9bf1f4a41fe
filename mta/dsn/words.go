package dsn

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

var subjects = map[Action]string{
	Failed:    "Mel tidak dihantar / Mail not delivered",
	Delayed:   "Mel tertangguh / Mail delayed",
	Delivered: "Mel telah diterima / Mail delivered",
	Relayed:   "Mel telah diserahkan / Mail handed on",
	Expanded:  "Mel telah diedarkan / Mail sent to a group",
}

// opening is the first sentence, in both languages.
var opening = map[Action][2]string{
	Failed: {"Mel anda tidak dapat dihantar kepada alamat di bawah, dan tidak akan dicuba lagi.",
		"Your message could not be delivered to the addresses below, and will not be tried again."},
	Delayed: {"Mel anda belum dapat dihantar kepada alamat di bawah. Anda tidak perlu menghantarnya semula.",
		"Your message could not be delivered yet to the addresses below. You need not send it again."},
	Delivered: {"Mel anda telah dimasukkan ke dalam peti mel alamat di bawah.",
		"Your message is in the mailboxes of the addresses below."},
	Relayed: {"Mel anda telah diterima oleh pelayan alamat di bawah, yang tidak melaporkan penghantaran selanjutnya.",
		"Your message was taken by the servers of the addresses below, which do not report what happens next."},
	Expanded: {"Mel anda telah diedarkan kepada ahli kumpulan di bawah.",
		"Your message was sent to the members of the groups below."},
}

// An advice is what the sender can do, by the beginning of the status without its class.
type advice struct{ status, malay, english string }

// advices are looked through in order; the first that begins the status is told.
var advices = []advice{
	{".1.10", "Domain ini tidak menerima mel langsung. Semak ejaan alamat.", "This domain takes no mail at all. Check the spelling of the address."},
	{".1", "Semak ejaan alamat, atau tanya penerima alamatnya yang terkini.", "Check the spelling of the address, or ask the recipient for the current one."},
	{".2.2", "Peti mel penerima penuh. Maklumkan penerima dengan cara lain, dan hantar semula kemudian.", "The recipient's mailbox is full. Tell the recipient by other means, and send it again later."},
	{".2", "Peti mel penerima tidak dapat menerima mel buat masa ini. Hubungi penerima dengan cara lain.", "The recipient's mailbox takes no mail at present. Reach the recipient by other means."},
	{".3.4", "Mel ini terlalu besar untuk pelayan penerima. Hantar lampiran yang lebih kecil, atau pautan.", "The message is too large for the recipient's server. Send a smaller attachment, or a link."},
	{".4.7", "Pelayan penerima tidak menerima mel ini dalam tempoh yang ditetapkan. Hantar semula kemudian, atau hubungi penerima dengan cara lain.", "The recipient's server did not take the message in the time set. Send it again later, or reach the recipient by other means."},
	{".4", "Pelayan penerima tidak dapat dihubungi. Hubungi penerima dengan cara lain jika segera.", "The recipient's server could not be reached. If it is urgent, reach the recipient by other means."},
	{".6.7", "Pelayan penerima tidak menerima alamat dengan huruf selain ASCII. Minta alamat lain daripada penerima.", "The recipient's server takes no addresses with letters beyond ASCII. Ask the recipient for another address."},
	{".6", "Pelayan penerima tidak dapat menerima mel dalam bentuk ini. Hantar sebagai teks biasa.", "The recipient's server cannot take the message in this form. Send it as plain text."},
	{".7", "Pelayan penerima, atau peraturan keselamatan, tidak membenarkan mel ini. Hubungi pentadbir mel anda dengan laporan ini.", "The recipient's server, or a security rule, does not permit this message. Ask your mail administrator, with this report."},
	{"", "Jika anda tidak pasti, hubungi pentadbir mel anda dengan laporan ini.", "If in doubt, ask your mail administrator, with this report."},
}

// waiting is what is said of a delay in place of an advice.
const (
	waitMalay   = "Pelayan akan terus mencuba sehingga %s."
	waitEnglish = "The server will go on trying until %s."
)

func adviceFor(status string) advice {
	for _, a := range advices {
		if rest, ok := strings.CutPrefix(status[1:], a.status); ok && (rest == "" || rest[0] == '.' || a.status == "") {
			return a
		}
	}
	return advices[len(advices)-1]
}

// words is the part for people.
func (r *Report) words() []byte {
	var b bytes.Buffer
	for lang, said := range [2]string{"Pelayan menyatakan", "The server said"} {
		why := [2]string{"Sebab", "Reason"}[lang] // when it was not the other side that said it
		if lang == 1 {
			b.WriteString("\r\n----\r\n\r\n")
		}
		para(&b, "", opening[r.Action][lang])
		b.WriteString("\r\n")
		last := ""
		for i := range r.Recipients {
			p := &r.Recipients[i]
			fmt.Fprintf(&b, "  <%s>\r\n", line(p.Address, true))
			if p.Text != "" && (r.Action == Failed || r.Action == Delayed) {
				text := p.Text
				if p.Code != 0 {
					text = reply(p)
				}
				by := why
				if p.Remote != "" {
					by, text = said, hostOf(p.Remote)+": "+text
				}
				para(&b, "    ", by+": "+clip(line(text, true), maxDiagnostic))
			}
			if r.Action == Failed {
				a := adviceFor(p.status(Failed))
				if do := [2]string{a.malay, a.english}[lang]; do != last || len(r.Recipients) < 5 {
					para(&b, "    ", do)
					last = do
				}
			}
		}
		if r.Action == Delayed && !r.Until.IsZero() {
			b.WriteString("\r\n")
			para(&b, "", fmt.Sprintf([2]string{waitMalay, waitEnglish}[lang], r.Until.Format("2006-01-02 15:04 -0700")))
		}
		if r.QueueID != "" {
			b.WriteString("\r\n")
			fmt.Fprintf(&b, "%s: %s", [2]string{"Rujukan", "Reference"}[lang], r.QueueID)
			if !r.Arrival.IsZero() {
				b.WriteString(", " + r.Arrival.Format(time.RFC1123Z))
			}
			b.WriteString("\r\n")
		}
	}
	return b.Bytes()
}

// para writes text in lines of at most 76 octets or so, each after indent.
func para(b *bytes.Buffer, indent, text string) {
	column := 0
	for _, word := range strings.Fields(text) {
		for len(word) > 900 {
			cut := len(clip(word, 900))
			fmt.Fprintf(b, "\r\n%s%s", indent, word[:cut])
			word, column = word[cut:], 76
		}
		switch {
		case column == 0:
			b.WriteString(indent)
			column = len(indent)
		case column+1+len(word) > 76:
			b.WriteString("\r\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	b.WriteString("\r\n")
}
