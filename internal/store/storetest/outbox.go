package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/edgeban/edgeban"
)

func (w *world) post(texts ...string) {
	w.Helper()
	var ns []edgeban.Notice
	for _, text := range texts {
		ns = append(ns, notice(text))
	}
	w.must(w.Post(w.Context(), ns))
}

// pending returns what a notifier is to tell, and waits for it.
func (w *world) pending(notifier string, limit int) []edgeban.Notice {
	w.Helper()
	ns, err := w.Pending(w.ctx(), notifier, limit)
	w.must(err)
	return ns
}

// nothing wants that a notifier has nothing to tell.
func (w *world) nothing(notifier string) {
	w.Helper()
	if ns, err := w.Pending(cancelled(w), notifier, 10); !errors.Is(err, context.DeadlineExceeded) {
		w.Errorf("%s is to tell %q, %v; want nothing", notifier, texts(ns), err)
	}
}

func telling() []promise {
	return []promise{
		{"a new notifier floods people with the past", func(w *world) {
			w.post("past")
			w.nothing("ntfy")
			w.again()
			w.post("present")
			w.want("ntfy", texts(w.pending("ntfy", 10)), []string{"present"})
			w.nothing("later")
		}},
		{"a notifier is forgotten, and what was posted meanwhile with it", func(w *world) {
			w.nothing("ntfy")
			w.again() // it was seen, so it starts where it was first seen
			w.post("meanwhile")
			w.again()
			w.want("ntfy", texts(w.pending("ntfy", 10)), []string{"meanwhile"})
		}},
		{"a notice changes on its way", func(w *world) {
			w.nothing("ntfy")
			trouble := edgeban.Notice{Kind: edgeban.NoticeTrouble, Time: noon, Text: "\x00\xff"}
			w.must(w.Post(w.Context(), []edgeban.Notice{notice("a"), trouble}))
			first := notice("a")
			first.ID, trouble.ID = 1, 2
			for range 2 {
				w.want("notices", w.pending("ntfy", 10), []edgeban.Notice{first, trouble})
				w.again()
			}
		}},
		{"what a snapshot knows as told is not, or the other way round", func(w *world) {
			w.nothing("ntfy")
			w.must(w.Snapshot(w.Context(), edgeban.Snapshot{Jail: "sshd", At: 5, State: []byte("told"), Notices: []edgeban.Notice{notice("1")}}))
			w.must(w.Snapshot(w.Context(), edgeban.Snapshot{Jail: "sshd", At: 4, State: []byte("late"), Notices: []edgeban.Notice{notice("late")}}))
			for range 2 {
				w.want("notices", texts(w.pending("ntfy", 10)), []string{"1"})
				sn, err := w.Restore(w.Context(), "sshd")
				w.must(err)
				w.want("the snapshot", fmt.Sprintf("%s %v", sn.State, sn.Notices), "told []")
				w.again()
			}
		}},
		{"a notice is told again, or never", func(w *world) {
			w.nothing("ntfy")
			w.nothing("mail")
			w.post("1", "2", "3", "4")
			two := w.pending("ntfy", 2)
			w.want("at most two", texts(two), []string{"1", "2"})
			w.want("untold, so again", texts(w.pending("ntfy", 2)), []string{"1", "2"})
			w.must(w.Told(w.Context(), "ntfy", two[1].ID))
			w.must(w.Told(w.Context(), "ntfy", two[0].ID)) // late, and no step back
			for range 2 {
				w.want("the rest", texts(w.pending("ntfy", 10)), []string{"3", "4"})
				w.want("the other", texts(w.pending("mail", 10)), []string{"1", "2", "3", "4"})
				w.again()
			}
			w.must(w.Told(w.Context(), "ntfy", 1000)) // what is to come cannot have been told
			w.nothing("ntfy")
			w.post("5")
			w.want("what comes then", texts(w.pending("ntfy", 10)), []string{"5"})
		}},
		{"a notifier sleeps while there is something to tell", func(w *world) {
			w.nothing("ntfy")
			got := make(chan []edgeban.Notice)
			go func() {
				ns, err := w.Pending(w.ctx(), "ntfy", 10)
				if err != nil {
					w.Error(err)
				}
				got <- ns
			}()
			w.impose(ban("192.0.2.1", 60, 1), notice("banned"))
			w.want("notices", texts(<-got), []string{"banned"})
		}},
	}
}

func leasing() []promise {
	return []promise{
		{"two do at once what one is to do", func(w *world) {
			var inside, ran atomic.Int32
			done := make(chan error)
			for range 8 {
				go func() {
					done <- w.Hold(w.ctx(), "sshd", func(context.Context) error {
						if inside.Add(1) != 1 {
							w.Error("two hold the lease")
						}
						ran.Add(1)
						inside.Add(-1)
						return nil
					})
				}()
			}
			for range 8 {
				w.must(<-done)
			}
			w.want("how many ran", ran.Load(), 8)
		}},
		{"an error is swallowed", func(w *world) {
			want := errors.New("broken")
			for range 2 { // and the lease is free again
				if err := w.Hold(w.ctx(), "sshd", func(context.Context) error { return want }); !errors.Is(err, want) {
					w.Errorf("hold: %v, want %v", err, want)
				}
			}
		}},
		{"who waits for a lease waits for ever", func(w *world) {
			err := w.Hold(w.ctx(), "sshd", func(ctx context.Context) error {
				ctx, cancel := context.WithCancel(ctx)
				ended := make(chan error)
				go func() {
					ended <- w.Hold(ctx, "sshd", func(context.Context) error { w.Error("two hold the lease"); return nil })
				}()
				cancel()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					w.Errorf("hold with a context that ends: %v, want %v", err, context.Canceled)
				}
				return w.Hold(ctx, "dovecot", func(context.Context) error { return nil })
			})
			if !errors.Is(err, context.Canceled) {
				w.Errorf("hold with a context that has ended: %v, want %v", err, context.Canceled)
			}
			ran := false
			w.must(w.Hold(w.ctx(), "sshd", func(ctx context.Context) error {
				return w.Hold(ctx, "dovecot", func(context.Context) error { ran = true; return nil })
			}))
			w.want("two names at once", ran, true)
		}},
	}
}
