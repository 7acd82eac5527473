package evalrpc

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// Run is the events of an experiment, each once, however often the connection breaks. Follow it with [Run.Events], ask
// [Run.Result] for its end, or do both; close it when done. It is not safe for concurrent use, except for Close.
type Run struct {
	client     *Client
	ctx        context.Context
	cancel     context.CancelCauseFunc
	open       func(context.Context) (eventStream, error)
	stopWorker func()

	resumption *resumption
	first      *Event // read by Client.Run, and not handed out yet
	experiment *Experiment
	results    []*ItemResult
	collect    bool

	stream       eventStream
	mutex        sync.Mutex
	cancelStream context.CancelFunc
}

// eventStream is a call whose answers each carry an event.
type eventStream interface {
	receive() (*evalrpcv1.ExperimentEvent, error)
	Trailer() metadata.MD
}

type carrier interface {
	GetEvent() *evalrpcv1.ExperimentEvent
}

type receiver[M carrier] interface {
	Recv() (M, error)
	Trailer() metadata.MD
}

type adapted[M carrier] struct{ receiver[M] }

func (a adapted[M]) receive() (*evalrpcv1.ExperimentEvent, error) {
	message, err := a.Recv()
	return message.GetEvent(), err
}

func newRun(ctx context.Context, client *Client, resumption *resumption, collect bool) *Run {
	run := &Run{client: client, resumption: resumption, collect: collect && resumption.sequence == 0, stopWorker: func() {}}
	run.ctx, run.cancel = context.WithCancelCause(ctx)
	run.open = run.watch
	return run
}

// ExperimentID returns the experiment's id.
func (r *Run) ExperimentID() string { return r.resumption.experimentID }

// Experiment returns the experiment as its last event told it; nil before the first.
func (r *Run) Experiment() *Experiment { return r.experiment }

// LastSequence returns the sequence of the last event; [Client.Watch] goes on behind it.
func (r *Run) LastSequence() int { return r.resumption.sequence }

// Events yields the events that were not seen yet, up to the last. An error ends them: the stream broke off for too long,
// or the context of [Client.Run] ended. Ask again to go on behind the last event.
func (r *Run) Events() iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		for {
			event, err := r.next(r.ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// Result follows the experiment to its end and returns what became of it. The end of ctx ends the waiting, and the run can
// be followed further.
func (r *Run) Result(ctx context.Context) (*ExperimentResult, error) {
	stop := context.AfterFunc(ctx, r.closeStream)
	defer stop()
	for {
		_, err := r.next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if r.collect && r.experiment != nil {
		return newExperimentResult(r.experiment, r.results), nil
	}
	return r.client.Result(ctx, r.ExperimentID())
}

// Close ends the stream, and the worker of a run with local functions. The experiment runs on, unless it was to be
// cancelled on disconnect; without its local functions it waits for them, and fails after its worker wait.
func (r *Run) Close() {
	r.cancel(context.Canceled)
	r.stopWorker()
}

// next returns the next event; io.EOF behind the last.
func (r *Run) next(ctx context.Context) (*Event, error) {
	if event := r.first; event != nil {
		r.first = nil
		return event, nil
	}
	for !r.resumption.finished {
		event, failure, err := r.receive(ctx)
		if err != nil {
			return nil, err
		}
		if event != nil {
			return event, nil
		}
		if r.stream != nil {
			continue
		}
		pause, err := r.resumption.delay(failure)
		if err != nil {
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		case <-r.ctx.Done():
		}
	}
	r.closeStream()
	r.stopWorker()
	return nil, io.EOF
}

// receive takes one message in. Without an event and with an open stream there is nothing to tell; without a stream it has
// ended, with a failure or too early.
func (r *Run) receive(ctx context.Context) (*Event, *Error, error) {
	message, err := r.message()
	if err == nil {
		var news bool
		if news, err = r.resumption.accept(message); err == nil && !news {
			return nil, nil, nil
		}
	}
	if err == nil {
		return r.take(eventFromMessage(message)), nil, nil
	}
	var trailer metadata.MD
	if r.stream != nil && !errors.Is(err, io.EOF) {
		trailer = r.stream.Trailer()
	}
	r.closeStream()
	r.stream = nil
	for _, each := range []context.Context{ctx, r.ctx} {
		if each.Err() != nil {
			return nil, nil, errorFromCall(context.Cause(each), nil, r.client.address)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil, nil, nil
	}
	var failure *Error
	if errors.As(errorFromCall(err, trailer, r.client.address), &failure) {
		return nil, failure, nil
	}
	return nil, nil, err
}

func (r *Run) message() (*evalrpcv1.ExperimentEvent, error) {
	if r.stream == nil {
		ctx, cancel := context.WithCancel(r.ctx)
		r.mutex.Lock()
		r.cancelStream = cancel
		r.mutex.Unlock()
		stream, err := r.open(ctx)
		if err != nil {
			return nil, err
		}
		r.stream = stream
	}
	return r.stream.receive()
}

func (r *Run) take(event *Event) *Event {
	switch {
	case event.Experiment != nil:
		r.experiment = event.Experiment
	case event.ItemResult != nil && r.collect:
		r.results = append(r.results, event.ItemResult)
	}
	return event
}

func (r *Run) closeStream() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.cancelStream != nil {
		r.cancelStream()
	}
}

func (r *Run) watch(ctx context.Context) (eventStream, error) {
	stream, err := r.client.experiments.WatchExperiment(ctx, &evalrpcv1.WatchExperimentRequest{
		Id:            r.resumption.experimentID,
		AfterSequence: int32(r.resumption.sequence),
		JsonEncoding:  evalrpcv1.JsonEncoding_JSON_ENCODING_TEXT,
	})
	return adapted[*evalrpcv1.WatchExperimentResponse]{stream}, err
}
