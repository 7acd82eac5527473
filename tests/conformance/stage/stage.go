// Package stage is what a feature in Go gets, and how it tells what it saw.
package stage

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/evalrpc/evalrpc/clients/go"
)

const timeout = 60 * time.Second

// Object is an object of an outcome.
type Object = map[string]any

type told struct {
	Language string
	Address  string
	Scripted string
	Wire     struct{ Address, Control string }
	Secured  struct {
		Address    string
		Token      string
		Roots      string
		OtherRoots string `json:"other_roots"`
	}
}

// Stage is where a feature is shown: the server, and what stands between it and the client.
type Stage struct {
	told    told
	feature string
	closing []func()
}

// New returns the stage of a feature.
func New(feature string) *Stage {
	made := &Stage{feature: feature}
	if err := json.Unmarshal([]byte(os.Getenv("CONFORMANCE")), &made.told); err != nil {
		panic(err)
	}
	return made
}

// Close closes the feature's clients.
func (s *Stage) Close() {
	for _, each := range s.closing {
		each()
	}
}

// Unique returns a name that is this feature's and this language's own.
func (s *Stage) Unique(name string) string {
	return fmt.Sprintf("%s-%s-%s", s.told.Language, s.feature, name)
}

// Client returns a client of the server.
func (s *Stage) Client() *evalrpc.Client { return s.ClientOf(s.told.Address) }

// WiredClient returns a client of the server at the other end of the wire.
func (s *Stage) WiredClient() *evalrpc.Client { return s.ClientOf(s.told.Wire.Address) }

// ScriptedClient returns a client of the server that does as it is told.
func (s *Stage) ScriptedClient() *evalrpc.Client { return s.ClientOf(s.told.Scripted) }

// ClientOf returns a client of what listens at an address.
func (s *Stage) ClientOf(address string, options ...evalrpc.Option) *evalrpc.Client {
	client := Must(evalrpc.NewClient(address, options...))
	s.closing = append(s.closing, func() { _ = client.Close() }) // nothing is lost
	return client
}

// SecuredClient returns a client of the server that wants TLS and a token.
func (s *Stage) SecuredClient(token string, trusted bool) *evalrpc.Client {
	file := s.told.Secured.Roots
	if !trusted {
		file = s.told.Secured.OtherRoots
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(Must(os.ReadFile(file)))
	encryption := evalrpc.WithTLS(&tls.Config{RootCAs: roots})
	return s.ClientOf(s.told.Secured.Address, encryption, evalrpc.WithToken(token))
}

// Token lets callers in at the secured server.
func (s *Stage) Token() string { return s.told.Secured.Token }

// Cut cuts the wire; new connections are relayed.
func (s *Stage) Cut() { s.tell("cut") }

// Sever cuts the wire for longer: until it is mended nobody gets through.
func (s *Stage) Sever() { s.tell("sever") }

// Mend mends the wire.
func (s *Stage) Mend() { s.tell("mend") }

func (s *Stage) tell(command string) {
	response := Must(http.Post(s.told.Wire.Control+"/"+command, "", nil))
	_, _ = io.Copy(io.Discard, response.Body) // it is empty
	_ = response.Body.Close()                 // likewise
}

// Working is a worker that serves.
type Working struct {
	*evalrpc.Worker
	stop context.CancelFunc
	done chan struct{}
}

// Worker starts a worker with room for 8 calls, and waits until it is connected.
func (s *Stage) Worker(ctx context.Context, client *evalrpc.Client, functions ...evalrpc.Function) *Working {
	return s.WorkerFor(ctx, client, 8, functions...)
}

// WorkerFor starts a worker with room for some calls, and waits until it is connected.
func (s *Stage) WorkerFor(ctx context.Context, client *evalrpc.Client, room int, functions ...evalrpc.Function) *Working {
	quiet := slog.New(slog.DiscardHandler)
	options := evalrpc.WorkerOptions{Functions: functions, MaxInFlight: room, Grace: timeout, Logger: quiet}
	ctx, stop := context.WithCancel(ctx)
	working := &Working{Worker: Must(evalrpc.NewWorker(client, options)), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(working.done)
		_ = working.Serve(ctx) // what it lost shows in the results
	}()
	s.closing = append([]func(){working.Stop}, s.closing...)
	for !working.Stats().Connected {
		time.Sleep(5 * time.Millisecond)
	}
	return working
}

// Drain has the worker take nothing new and finish what it has.
func (w *Working) Drain() { w.stop() }

// Stop drains the worker and waits for its end.
func (w *Working) Stop() {
	w.stop()
	<-w.done
}

// Gate counts those who come, and holds them until it is opened.
type Gate struct {
	came   chan struct{}
	opened chan struct{}
	once   sync.Once
}

// NewGate returns a closed gate.
func NewGate() *Gate { return &Gate{came: make(chan struct{}, 1000), opened: make(chan struct{})} }

// Pass comes to the gate, and waits until it is open or the context ends.
func (g *Gate) Pass(ctx context.Context) error {
	g.came <- struct{}{}
	select {
	case <-g.opened:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// WaitFor waits until so many more have come.
func (g *Gate) WaitFor(count int) {
	for range count {
		select {
		case <-g.came:
		case <-time.After(timeout):
			panic("nobody came to the gate")
		}
	}
}

// Open lets everybody through, now and later.
func (g *Gate) Open() { g.once.Do(func() { close(g.opened) }) }

// Run runs an experiment to its end.
func Run(ctx context.Context, client *evalrpc.Client, options evalrpc.RunOptions) *evalrpc.ExperimentResult {
	run := Must(client.Run(ctx, options))
	defer run.Close()
	return Must(run.Result(ctx))
}

// Items returns what became of each item.
func Items(results []*evalrpc.ItemResult) []Object {
	found := []Object{}
	for _, each := range results {
		item := Object{
			"id": each.Item.ID, "output": nil, "error": nil, "attempts": each.Attempts,
			"evaluations": Evaluations(each.Evaluations),
		}
		if !each.Output.Absent() {
			item["output"] = json.RawMessage(each.Output)
		}
		if each.Failure != nil {
			item["error"] = each.Failure.Reason
		}
		found = append(found, item)
	}
	return found
}

// Evaluations returns what evaluators said: a value, that there is none, or why they failed.
func Evaluations(said []evalrpc.Evaluation) []Object {
	found := []Object{}
	for _, each := range said {
		switch value := each.Value.(type) {
		case *evalrpc.Failure:
			found = append(found, Object{"name": each.Name, "error": value.Reason})
		case evalrpc.Unscored:
			found = append(found, Object{"name": each.Name, "unscored": true})
		default:
			found = append(found, Object{"name": each.Name, "value": value})
		}
	}
	return found
}

var kinds = []struct {
	kind error
	name string
}{
	{evalrpc.ErrAlreadyExists, "already exists"},
	{evalrpc.ErrFailedPrecondition, "failed precondition"},
	{evalrpc.ErrInvalidRequest, "invalid request"},
	{evalrpc.ErrNotFound, "not found"},
	{evalrpc.ErrUnreachable, "unreachable"},
	{evalrpc.ErrUnauthenticated, "unauthenticated"},
}

// ErrorOf returns what an error tells.
func ErrorOf(err error) Object {
	var failure *evalrpc.Error
	if !errors.As(err, &failure) {
		panic(fmt.Sprintf("the call did not fail as it should: %v", err))
	}
	found := Object{"kind": "other", "reason": nil, "metadata": Object{}, "violations": []string{}}
	for _, each := range kinds {
		if errors.Is(err, each.kind) {
			found["kind"] = each.name
			break
		}
	}
	if failure.Reason != "" {
		found["reason"] = failure.Reason
	}
	if failure.Metadata != nil {
		found["metadata"] = failure.Metadata
	}
	paths := []string{}
	for _, violation := range failure.Violations {
		paths = append(paths, violation.Path)
	}
	found["violations"] = paths
	return found
}

// All returns all that a sequence yields.
func All[T any](sequence iter.Seq2[T, error]) []T {
	found := []T{}
	for each, err := range sequence {
		found = append(found, Must(each, err))
	}
	return found
}

// Must returns a value, and ends the feature with an error if there is one.
func Must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Field returns a member of a JSON object as text.
func Field(document evalrpc.JSON, name string) string {
	var members map[string]json.RawMessage
	if err := document.Decode(&members); err != nil {
		panic(err)
	}
	return string(members[name])
}
