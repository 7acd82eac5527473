package evalrpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

const (
	defaultMaxInFlight = 64
	defaultGrace       = 30 * time.Second
)

// Worker connects out to a server and hosts functions of this process for it: no port has to be open. Experiments refer
// to its functions by [WorkerTask] and [WorkerEvaluator].
type Worker struct {
	client    *Client
	id        string
	hello     *evalrpcv1.Hello
	functions map[string]Function
	inFlight  int
	grace     time.Duration
	log       *slog.Logger

	mutex     sync.Mutex
	calls     map[string]*workerCall // running, or reported and not acknowledged
	session   *session               // nil while there is no connection
	active    int                    // functions that run, those of calls that were taken away included
	draining  bool
	left      bool // goodbye is said
	serving   bool
	changed   chan struct{} // closed and made anew with each change that a drain waits for
	stats     WorkerStats
	abandoned int
}

// WorkerOptions say what a worker hosts. Zero values stand for the defaults.
type WorkerOptions struct {
	// Functions to host; at least one. Required.
	Functions []Function
	// ID of the worker, which must be its own: one that reconnects under its id keeps its calls. Default: a new one.
	ID string
	// MaxInFlight is how many calls it may have at once. Default: 64.
	MaxInFlight int
	// Grace is for how long a worker that winds up waits for its calls, before it ends them. Default: 30 s; negative: not
	// at all.
	Grace time.Duration
	// Logger for connections lost and found. Default: [slog.Default].
	Logger *slog.Logger
}

// WorkerStats tell how a worker does.
type WorkerStats struct {
	// Connected tells whether the server knows it at the moment.
	Connected bool
	// InFlight calls are running.
	InFlight int
	// Completed calls ended well.
	Completed int
	// Failed calls ended with an error.
	Failed int
	// Lost calls were taken away or cancelled.
	Lost int
	// Connections made so far.
	Connections int
}

// NewWorker returns a worker; [Worker.Serve] connects it.
func NewWorker(client *Client, options WorkerOptions) (*Worker, error) {
	worker := &Worker{
		client:    client,
		id:        options.ID,
		functions: make(map[string]Function, len(options.Functions)),
		inFlight:  options.MaxInFlight,
		grace:     options.Grace,
		log:       options.Logger,
		calls:     map[string]*workerCall{},
		changed:   make(chan struct{}),
	}
	if worker.id == "" {
		worker.id = "go-" + newUUID()
	}
	if worker.inFlight == 0 {
		worker.inFlight = defaultMaxInFlight
	}
	if worker.grace == 0 {
		worker.grace = defaultGrace
	}
	if worker.log == nil {
		worker.log = slog.Default()
	}
	worker.hello = &evalrpcv1.Hello{
		WorkerId:      worker.id,
		MaxInFlight:   clamped(worker.inFlight),
		ClientName:    "evalrpc-go",
		ClientVersion: Version,
		Capabilities:  []string{batchesCapability},
	}
	if len(options.Functions) == 0 {
		return nil, invalid(Violation{"functions", "must hold at least one"})
	}
	for i, function := range options.Functions {
		if function.Name == "" {
			function.Name = function.Evaluator.Name()
		}
		message, err := function.toMessage(i)
		if err != nil {
			return nil, err
		}
		if _, taken := worker.functions[function.Name]; taken || function.Name == "" {
			return nil, invalid(Violation{fmt.Sprintf("functions[%d].name", i), "must be there, and be the function's own"})
		}
		worker.functions[function.Name] = function
		worker.hello.Functions = append(worker.hello.Functions, message)
	}
	return worker, nil
}

// ID returns the worker's id.
func (w *Worker) ID() string { return w.id }

// Stats tells how the worker does.
func (w *Worker) Stats() WorkerStats {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	stats := w.stats
	stats.Connected = w.session != nil
	stats.InFlight = w.active
	return stats
}

// Serve takes calls until ctx ends, and reconnects whenever the connection is lost. When ctx ends, the worker takes
// nothing new, waits for its calls for as long as its grace, and returns nil. To drain on SIGTERM, end ctx with
// [os/signal.NotifyContext].
//
// An error says that the server refuses the worker for good, or that calls had to be cut off.
func (w *Worker) Serve(ctx context.Context) error {
	if err := w.begin(); err != nil {
		return err
	}
	defer w.end()
	// Functions outlive ctx by the grace; afterwards they end, and so does the stream.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		select {
		case <-ctx.Done():
			w.drain(work)
		case <-work.Done():
		}
		stop()
	}()
	for attempt := 1; ; attempt++ {
		welcomed, err := w.serve(work)
		if work.Err() != nil || w.hasLeft() {
			<-drained
			return w.farewell()
		}
		if welcomed {
			attempt = 1
		}
		var failure *Error
		if errors.As(err, &failure) && !returnable(failure) {
			return failure
		}
		pause := backoffAfter(attempt, rand.Float64())
		if failure != nil {
			pause = max(pause, failure.RetryAfter)
		}
		w.log.Info("evalrpc: the worker's connection is lost", "worker_id", w.id, "error", err, "retry_in", pause)
		select {
		case <-time.After(pause):
		case <-work.Done():
		}
	}
}

// returnable tells whether a worker whose stream failed like this may come back.
func returnable(failure *Error) bool {
	return passing(failure) || failure.Reason == "WORKER_UNRESPONSIVE"
}

func (w *Worker) begin() error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.serving {
		return &Error{Code: codes.FailedPrecondition, Message: "the worker serves already"}
	}
	w.serving, w.draining, w.left, w.abandoned = true, false, false, 0
	return nil
}

func (w *Worker) end() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.serving = false
	w.calls = map[string]*workerCall{}
}

// drain takes nothing new, and returns once nothing is left, or the grace is over; then the server knows.
func (w *Worker) drain(work context.Context) {
	grace := max(w.grace, 0)
	over := time.NewTimer(grace)
	defer over.Stop()
	w.mutex.Lock()
	w.draining = true
	if w.session != nil {
		w.session.send(drainMessage(grace))
	}
	for len(w.calls) > 0 && grace > 0 {
		changed := w.changed
		w.mutex.Unlock()
		select {
		case <-changed:
			w.mutex.Lock()
			continue
		case <-over.C:
		case <-work.Done():
		}
		w.mutex.Lock()
		break
	}
	w.abandoned = len(w.calls)
	for _, call := range w.calls {
		call.cancel(errors.New("evalrpc: the worker has wound up"))
	}
	session := w.session
	w.left = true
	w.mutex.Unlock()
	if session != nil {
		session.goodbye(work)
	}
}

func (w *Worker) farewell() error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.abandoned > 0 && w.grace >= 0 {
		return fmt.Errorf("evalrpc: the worker's grace of %s ended with %d calls unfinished", w.grace, w.abandoned)
	}
	return nil
}

func (w *Worker) hasLeft() bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.left
}

// notify wakes a drain that waits for calls.
func (w *Worker) notify() {
	close(w.changed)
	w.changed = make(chan struct{})
}
