package evalrpc

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	barWidth          = 30
	timeBetweenFrames = 200 * time.Millisecond
	timeBetweenLines  = 5 * time.Second
	clearToEndOfLine  = "\x1b[K"
	startOfLine       = "\r"
)

// ProgressBar shows how far a run is: a bar on a terminal, a line now and then elsewhere.
//
//	progress := evalrpc.NewProgress(os.Stderr)
//	defer progress.Close()
//	for event, err := range run.Events() {
//		...
//		progress.Update(event)
//	}
type ProgressBar struct {
	out      io.Writer
	terminal bool
	now      func() time.Time

	mutex     sync.Mutex
	named     bool
	began     time.Time
	completed int // when it began
	shown     time.Time
	counts    Progress
	pending   bool
}

// NewProgress shows progress on out, which is mostly [os.Stderr].
func NewProgress(out io.Writer) *ProgressBar {
	return &ProgressBar{out: out, terminal: isTerminal(out), now: time.Now}
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && file.Name() != os.DevNull
}

// Update takes in an event.
func (p *ProgressBar) Update(event *Event) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	now := p.now()
	if p.began.IsZero() {
		p.began, p.completed, p.shown = now, event.Progress.Completed, now
	}
	if event.Experiment != nil && !p.named {
		p.named = true
		_, _ = fmt.Fprintf(p.out, "%s %s\n", event.Experiment.ID, event.Experiment.RunName)
	}
	p.counts, p.pending = event.Progress, true
	pause := timeBetweenLines
	if p.terminal {
		pause = timeBetweenFrames
	}
	if now.Sub(p.shown) >= pause {
		p.show(now)
	}
}

// Close shows how far the run came, and leaves the terminal's line.
func (p *ProgressBar) Close() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.pending {
		p.show(p.now())
	}
	if p.terminal && p.named {
		_, _ = fmt.Fprintln(p.out)
	}
}

// show writes what is known; an error of the terminal is nobody's to handle.
func (p *ProgressBar) show(now time.Time) {
	p.shown, p.pending = now, false
	line := p.told(now)
	if !p.terminal {
		_, _ = fmt.Fprintln(p.out, line)
		return
	}
	bar := ""
	if p.counts.Total != nil {
		filled := barWidth
		if total := *p.counts.Total; total > 0 {
			filled = min(barWidth*p.counts.Completed/total, barWidth)
		}
		bar = strings.Repeat("━", filled) + strings.Repeat(" ", barWidth-filled) + " "
	}
	_, _ = fmt.Fprint(p.out, startOfLine, bar, line, clearToEndOfLine)
}

func (p *ProgressBar) told(now time.Time) string {
	counts, total := p.counts, "?"
	if counts.Total != nil {
		total = fmt.Sprint(*counts.Total)
	}
	line := fmt.Sprintf("%d/%s items, %d failed", counts.Completed, total, counts.Failed)
	elapsed := now.Sub(p.began).Seconds()
	if elapsed <= 0 || counts.Completed == p.completed {
		return line
	}
	rate := float64(counts.Completed-p.completed) / elapsed
	line += fmt.Sprintf(", %.1f/s", rate)
	if counts.Total != nil && *counts.Total > counts.Completed {
		line += fmt.Sprintf(", %.0f s left", float64(*counts.Total-counts.Completed)/rate)
	}
	return line
}
