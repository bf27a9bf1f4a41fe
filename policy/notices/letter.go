package notices

import (
	"fmt"
	"strings"
)

func (g *group) count() int { return len(g.Waiting) + g.More }

// subject names no class: a notice must not look like what it is about.
func (g *group) subject() string {
	first := g.Waiting[0].ID
	switch {
	case g.App != "" && g.count() == 1:
		return fmt.Sprintf("E-mel aplikasi disekat / Mail of an application was refused: %s (%s)", g.App, first)
	case g.App != "":
		return fmt.Sprintf("%d e-mel aplikasi disekat / mails of an application were refused: %s (%s ...)", g.count(), g.App, first)
	case g.Agency == "" && g.count() == 1:
		return "E-mel anda disekat / Your mail was refused: " + first
	case g.Agency == "":
		return fmt.Sprintf("%d e-mel anda disekat / %[1]d of your mails were refused: %s ...", g.count(), first)
	case g.count() == 1:
		return fmt.Sprintf("Insiden / Incident %s (%s)", first, g.Agency)
	}
	return fmt.Sprintf("%d insiden / incidents (%s): %s ...", g.count(), g.Agency, first)
}

// text is Malay first, then English. Classes stand inside sentences: this letter is a
// mention and no mark.
func (g *group) text() string {
	var b strings.Builder
	switch {
	case g.App != "":
		fmt.Fprintf(&b, "E-mel yang dihantar oleh aplikasi %s telah disekat dan tidak disimpan di mana-mana.\n"+
			"Mail that the application %[1]s sent was refused, and is kept nowhere.\n\n", g.App)
		for i := range g.Waiting {
			g.Waiting[i].forSender(&b)
		}
	case g.Agency == "":
		b.WriteString("E-mel yang anda hantar telah disekat dan tidak disimpan di mana-mana.\n" +
			"Mail that you sent was refused, and is kept nowhere.\n\n")
		for i := range g.Waiting {
			g.Waiting[i].forSender(&b)
		}
	default:
		fmt.Fprintf(&b, "Insiden yang melibatkan %s. Kandungan tidak disimpan; butiran: sampul incident show NOMBOR.\n"+
			"Incidents that concern %[1]s. No content is kept; details: sampul incident show NUMBER.\n\n", g.Agency)
		for i := range g.Waiting {
			g.Waiting[i].forOfficer(&b)
		}
	}
	if g.More > 0 {
		fmt.Fprintf(&b, "... dan %d lagi dalam tempoh ini / and %[1]d more in this time.\n", g.More)
	}
	return b.String()
}

const timeForm = "2006-01-02 15:04"

func (i *item) forSender(b *strings.Builder) {
	fmt.Fprintf(b, "Insiden %s, %s: %s didapati %s. Untuk bertanya, sebut nombor insiden kepada pegawai keselamatan agensi anda.\n",
		i.ID, i.Time.Local().Format(timeForm), i.Where, found(i.Class, "bertanda", "mungkin bertanda", "tidak dapat dibaca"))
	fmt.Fprintf(b, "Incident %s: %s was found %s. To ask about it, tell your agency's security officer the number.\n\n",
		i.ID, i.Where, found(i.Class, "to be marked", "to be marked, it may be, as", "to be unreadable"))
}

func (i *item) forOfficer(b *strings.Builder) {
	fmt.Fprintf(b, "%s  %s  tindakan %s, arah %s, daripada <%s> kepada %d penerima: %s didapati %s.\n",
		i.ID, i.Time.Local().Format(timeForm), i.Action, i.Direction, i.Sender, i.Recipients, i.Where,
		found(i.Class, "bertanda", "mungkin bertanda", "tidak dapat dibaca"))
	if i.Case != "" {
		fmt.Fprintf(b, "    kes / case %s: sampul policy case show %[1]s\n", i.Case)
	}
}

// found words what was found.
func found(class, marked, maybe, unread string) string {
	switch c, suspected := strings.CutSuffix(class, "?"); {
	case class == "UNINSPECTABLE":
		return unread
	case class == "TERBUKA":
		return "terbuka"
	case suspected:
		return maybe + " " + c
	}
	return marked + " " + class
}
