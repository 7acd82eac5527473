package evalrpc

import (
	"strings"
	"testing"
	"time"
)

func TestProgressIsShown(t *testing.T) {
	now := time.Unix(0, 0)
	total := 10
	event := func(completed int) *Event {
		return &Event{Progress: Progress{Total: &total, Completed: completed, Failed: 1}}
	}
	for _, test := range []struct {
		terminal bool
		want     string
	}{
		{false, "exp_1 quiz - 1\n5/10 items, 1 failed, 1.0/s, 5 s left\n10/10 items, 1 failed, 2.0/s\n"},
		{true, "exp_1 quiz - 1\n\r" + strings.Repeat("━", 15) + strings.Repeat(" ", 15) +
			" 5/10 items, 1 failed, 1.0/s, 5 s left\x1b[K\r" + strings.Repeat("━", 30) +
			" 10/10 items, 1 failed, 2.0/s\x1b[K\n"},
	} {
		var out strings.Builder
		bar := NewProgress(&out)
		bar.terminal, bar.now = test.terminal, func() time.Time { return now }
		bar.Update(&Event{Experiment: &Experiment{ID: "exp_1", RunName: "quiz - 1"}, Progress: Progress{Total: &total}})
		bar.Update(event(1))
		now = now.Add(5 * time.Second)
		bar.Update(event(5))
		bar.Update(event(10))
		bar.Close()
		if out.String() != test.want {
			t.Errorf("got %q, want %q", out.String(), test.want)
		}
	}
}

func TestBackoffIsBoundedAndJittered(t *testing.T) {
	for attempt := 1; attempt < 1000; attempt++ {
		low, high := backoffAfter(attempt, 0), backoffAfter(attempt, 1)
		if low <= 0 || low*2 != high || high > maxBackoff {
			t.Fatalf("attempt %d: from %s to %s", attempt, low, high)
		}
	}
}

func TestAPauseTheServerAsksForIsKept(t *testing.T) {
	r := newResumption("exp_1", 0, time.Hour)
	pause, err := r.delay(&Error{Reason: "TOO_MANY_RPCS", RetryAfter: 42 * time.Second})
	if err != nil || pause != 42*time.Second {
		t.Error(pause, err)
	}
}
