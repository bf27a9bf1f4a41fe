package mta

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sampul/mta/route"
	"sampul/store"
)

// What waits for its quota window is filed, or sent, when that opens: once, not earlier
// whoever asks, and nobody is told of a delay. Its lifetime counts from there.
func TestWaitsForItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(Options{})
		g.router.set("pegawai1@agensi-a.test", route.Hop{Kind: route.ToMailbox, Account: 7})
		g.out.answer = nil
		g.Start()
		defer g.stop(t)
		env := letter("Q1", "pegawai1@agensi-a.test", "orang@jauh.test")
		env.Received, env.NotBefore, env.Lane = time.Now(), time.Now().Add(6*time.Hour), store.LaneBulk
		g.q.add(env, body)
		time.Sleep(6*time.Hour - time.Second)
		g.Kick("")
		synctest.Wait()
		if len(g.q.filedNow()) != 0 || len(g.out.list()) != 0 || len(g.said.list()) != 0 {
			t.Fatalf("before its time: filed %q, sent %q, told %q", g.q.filedNow(), g.out.list(), g.said.list())
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !slices.Equal(g.q.filedNow(), []string{"Q1 pegawai1@agensi-a.test 7"}) || len(g.out.list()) != 1 || g.q.len() != 0 {
			t.Fatalf("filed %q, sent %q, %d left", g.q.filedNow(), g.out.list(), g.q.len())
		}

		g.router.set("tahan.test", route.Hop{Kind: route.Wait, Why: "domain is held"})
		env = letter("Q2", "x@tahan.test")
		env.Received, env.NotBefore, env.Lane = time.Now(), time.Now().Add(48*time.Hour), store.LaneBulk
		g.q.add(env, body)
		time.Sleep(48*time.Hour + 72*time.Hour - 2*time.Minute)
		synctest.Wait()
		if g.q.len() != 1 {
			t.Fatal("expired before its lifetime since it might be tried")
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if g.q.len() != 0 {
			t.Fatal("does not expire")
		}
	})
}
