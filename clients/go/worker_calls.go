package evalrpc

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// largeReportBytes is the size above which a report does not go over the stream.
const largeReportBytes = 256 * 1024

// workerCall is a call of a hosted function, from its assignment until the server has acknowledged its report.
type workerCall struct {
	token  string
	cancel context.CancelCauseFunc
	chunks *chunkQueue
	report *evalrpcv1.TaskReport // nil while the function runs
}

// assign begins a call. It goes on when the stream breaks: the next one takes its report.
func (w *Worker) assign(current *session, assignment *evalrpcv1.Assignment) {
	token := assignment.GetTaskToken()
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if _, known := w.calls[token]; known {
		return
	}
	function, hosted := w.functions[assignment.GetFunction()]
	if w.draining || !hosted {
		report := handback(fmt.Sprintf("hosts no function %q", assignment.GetFunction()))
		if hosted {
			report = handback("draining")
		}
		report.TaskToken = token
		current.send(reportMessage(report))
		return
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(current.ctx))
	call := &workerCall{token: token, cancel: cancel}
	call.chunks = newChunkQueue(func(number int32) { w.acknowledge(token, number) })
	w.calls[token] = call
	w.active++
	go w.run(ctx, call, function, assignment)
}

func (w *Worker) run(ctx context.Context, call *workerCall, function Function, assignment *evalrpcv1.Assignment) {
	defer call.cancel(nil)
	ctx = context.WithValue(ctx, traceContextKey{}, assignment.GetTraceContext())
	if timeout := assignment.GetTimeout().AsDuration(); timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	report := invoke(ctx, function, assignment, call.chunks)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	defer w.notify()
	w.active--
	if w.session != nil && !w.draining && !w.session.draining {
		w.session.grant(1)
	}
	if w.calls[call.token] != call {
		return // it was taken away meanwhile
	}
	if report.GetError() != nil {
		w.stats.Failed++
	} else {
		w.stats.Completed++
	}
	call.report = report
	w.deliver(call)
}

// deliver sends a call's report; without a connection the next session begins with it.
func (w *Worker) deliver(call *workerCall) {
	current := w.session
	if current == nil {
		return
	}
	size := proto.Size(call.report)
	if limit := current.maxReportBytes; limit > 0 && size > limit {
		call.report = tooLarge(call.report, size, limit)
		size = 0
	}
	if size > largeReportBytes {
		go w.deliverApart(current, call.token, call.report)
		return
	}
	current.send(reportMessage(call.report))
}

// deliverApart sends a large report beside the stream, where it does not hold up heartbeats. If that fails, it goes over
// the stream after all.
func (w *Worker) deliverApart(current *session, token string, report *evalrpcv1.TaskReport) {
	_, err := w.client.workers.ReportTask(current.ctx, &evalrpcv1.ReportTaskRequest{Report: report})
	if err == nil {
		w.forget(token, nil)
		return
	}
	current.send(reportMessage(report))
}

// acknowledge asks for the next chunk of results. Without a connection the server sends this one again on the next.
func (w *Worker) acknowledge(token string, number int32) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.session != nil {
		ack := &evalrpcv1.ChunkAck{TaskToken: token, Number: number}
		w.session.send(&evalrpcv1.ServeRequest{Message: &evalrpcv1.ServeRequest_ChunkAck{ChunkAck: ack}})
	}
}

func (w *Worker) feed(chunk *evalrpcv1.ItemResultChunk) {
	w.mutex.Lock()
	call := w.calls[chunk.GetTaskToken()]
	w.mutex.Unlock()
	if call != nil {
		call.chunks.put(chunk)
	}
}

// forget drops a call that is acknowledged, or, with a cause, taken away.
func (w *Worker) forget(token string, cause error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	call, known := w.calls[token]
	if !known {
		return
	}
	delete(w.calls, token)
	if cause != nil {
		w.stats.Lost++
		call.cancel(cause)
	}
	w.notify()
	w.closeIdle()
}

func tooLarge(report *evalrpcv1.TaskReport, size, limit int) *evalrpcv1.TaskReport {
	short := failed("PAYLOAD_TOO_LARGE", &Failure{
		Message:  fmt.Sprintf("the report has %d bytes; the limit is %d bytes", size, limit),
		Metadata: map[string]string{"limit_bytes": fmt.Sprint(limit), "size_bytes": fmt.Sprint(size)},
	})
	short.TaskToken = report.GetTaskToken()
	return short
}

// host serves the functions of a run while it is open.
func (r *Run) host(made *plan) error {
	if len(made.functions) == 0 {
		return nil
	}
	concurrency := int(made.spec.GetMaxConcurrency())
	if concurrency == 0 {
		concurrency = defaultConcurrency
	}
	worker, err := NewWorker(r.client, WorkerOptions{
		Functions:   made.functions,
		MaxInFlight: min(concurrency*len(made.functions), mostInFlight),
		Grace:       -1 * time.Second,
		Logger:      slog.New(slog.DiscardHandler), // what goes wrong shows in the run
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.ctx)
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := worker.Serve(ctx); err != nil {
			r.cancel(err)
		}
	}()
	r.stopWorker = func() {
		cancel()
		<-served
	}
	return nil
}

const (
	defaultConcurrency = 50     // of the contract
	mostInFlight       = 10_000 // likewise
)
