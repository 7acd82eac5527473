package evalrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

const (
	goodbyeTimeout   = 2 * time.Second
	defaultHeartbeat = 5 * time.Second
)

type serveStream = grpc.BidiStreamingClient[evalrpcv1.ServeRequest, evalrpcv1.ServeResponse]

// session is one stream of a worker's. Nothing that matters lives in it: either side may drop it at any time.
type session struct {
	stream         serveStream
	ctx            context.Context // ends with the stream
	maxReportBytes int
	batches        bool // several messages may be sent as one
	draining       bool // the server winds up: this worker finishes what it has, and connects anew
	ended          chan struct{}

	mutex  sync.Mutex
	queue  []*evalrpcv1.ServeRequest
	credit int32
	more   chan struct{} // holds one token while there is something to send
	last   bool          // nothing follows what is queued
}

// serve connects once and serves until the stream ends; it tells whether the server took the worker in.
func (w *Worker) serve(work context.Context) (bool, error) {
	ctx, cancel := context.WithCancel(work)
	defer cancel()
	stream, err := w.client.workers.Serve(ctx)
	if err != nil {
		return false, errorFromCall(err, nil, w.client.address)
	}
	current := &session{stream: stream, ctx: ctx, ended: make(chan struct{}), more: make(chan struct{}, 1)}
	defer close(current.ended)
	current.send(&evalrpcv1.ServeRequest{Message: &evalrpcv1.ServeRequest_Hello{Hello: w.hello}})
	var writing sync.WaitGroup
	writing.Add(1)
	go func() {
		defer writing.Done()
		current.write()
	}()
	welcomed, err := w.read(current, cancel)
	w.leave(current)
	cancel()
	writing.Wait()
	if errors.Is(err, io.EOF) {
		return welcomed, nil
	}
	return welcomed, errorFromCall(err, stream.Trailer(), w.client.address)
}

func (w *Worker) read(current *session, cancel func()) (bool, error) {
	response, err := current.stream.Recv()
	if err != nil {
		return false, err
	}
	welcome := response.GetWelcome()
	if welcome == nil {
		return false, fmt.Errorf("the server's first message is a %T, not a Welcome", response.GetMessage())
	}
	current.maxReportBytes = int(welcome.GetMaxReportBytes())
	current.allowBatches(slices.Contains(welcome.GetCapabilities(), batchesCapability))
	w.enter(current)
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		w.beat(current, welcome.GetHeartbeatInterval().AsDuration())
	}()
	defer func() {
		cancel()
		<-beating
	}()
	for {
		response, err := current.stream.Recv()
		if err != nil {
			return true, err
		}
		w.take(current, response)
	}
}

// enter makes a session the current one: the server hears which calls are still here, then their reports, and last for how
// many more there is room.
func (w *Worker) enter(current *session) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.session = current
	w.stats.Connections++
	current.send(w.heartbeat())
	for _, call := range w.calls {
		if call.report != nil {
			w.deliver(call)
		}
	}
	if w.draining {
		current.send(drainMessage(max(w.grace, 0)))
	} else {
		current.grant(int32(max(w.inFlight-w.active, 0)))
	}
}

func (w *Worker) leave(current *session) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.session == current {
		w.session = nil
	}
}

func (w *Worker) beat(current *session, interval time.Duration) {
	if interval <= 0 {
		interval = defaultHeartbeat
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.mutex.Lock()
			current.send(w.heartbeat())
			w.mutex.Unlock()
		case <-current.ctx.Done():
			return
		}
	}
}

func (w *Worker) heartbeat() *evalrpcv1.ServeRequest {
	tokens := make([]string, 0, len(w.calls))
	for token := range w.calls {
		tokens = append(tokens, token)
	}
	beat := &evalrpcv1.Heartbeat{TaskTokens: tokens}
	return &evalrpcv1.ServeRequest{Message: &evalrpcv1.ServeRequest_Heartbeat{Heartbeat: beat}}
}

// take does what the server says; kinds of messages that this version does not know are passed over.
func (w *Worker) take(current *session, response *evalrpcv1.ServeResponse) {
	switch message := response.GetMessage().(type) {
	case *evalrpcv1.ServeResponse_Batch:
		for _, each := range message.Batch.GetResponses() {
			w.take(current, each)
		}
	case *evalrpcv1.ServeResponse_Assignment:
		w.assign(current, message.Assignment)
	case *evalrpcv1.ServeResponse_ItemResults:
		w.feed(message.ItemResults)
	case *evalrpcv1.ServeResponse_Ack:
		w.forget(message.Ack.GetTaskToken(), nil)
	case *evalrpcv1.ServeResponse_HeartbeatAck:
		for _, token := range message.HeartbeatAck.GetLostTaskTokens() {
			w.forget(token, errors.New("evalrpc: the call is not this worker's any more"))
		}
	case *evalrpcv1.ServeResponse_Cancel:
		w.forget(message.Cancel.GetTaskToken(), fmt.Errorf("evalrpc: the call is cancelled: %s", message.Cancel.GetReason()))
	case *evalrpcv1.ServeResponse_Drain:
		w.mutex.Lock()
		current.draining = true
		w.closeIdle()
		w.mutex.Unlock()
	}
}

// closeIdle ends the stream of a server that winds up once nothing is left to tell it.
func (w *Worker) closeIdle() {
	if w.session != nil && w.session.draining && len(w.calls) == 0 {
		w.session.finish()
	}
}

// send queues a message. What is queued is bounded by the worker's calls: there is no credit without a report.
func (s *session) send(request *evalrpcv1.ServeRequest) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.queue = append(s.queue, request)
	s.signal()
}

// grant queues credit, which waits until all before it is sent, and is sent as one.
func (s *session) grant(count int32) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.credit += count
	s.signal()
}

// finish ends this side of the stream behind what is queued.
func (s *session) finish() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.last = true
	s.signal()
}

func (s *session) signal() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// goodbye ends the stream on purpose, and waits until the server has heard it.
func (s *session) goodbye(work context.Context) {
	goodbye := &evalrpcv1.Goodbye{Reason: "the worker has wound up"}
	s.send(&evalrpcv1.ServeRequest{Message: &evalrpcv1.ServeRequest_Goodbye{Goodbye: goodbye}})
	s.finish()
	select {
	case <-s.ended:
	case <-work.Done():
	case <-time.After(goodbyeTimeout):
	}
}

func creditMessage(count int32) *evalrpcv1.ServeRequest {
	return &evalrpcv1.ServeRequest{Message: &evalrpcv1.ServeRequest_Credit{Credit: &evalrpcv1.Credit{Count: count}}}
}

func drainMessage(grace time.Duration) *evalrpcv1.ServeRequest {
	drain := &evalrpcv1.Drain{Grace: durationpb.New(grace)}
	return &evalrpcv1.ServeRequest{Message: &evalrpcv1.ServeRequest_Drain{Drain: drain}}
}

func reportMessage(report *evalrpcv1.TaskReport) *evalrpcv1.ServeRequest {
	return &evalrpcv1.ServeRequest{Message: &evalrpcv1.ServeRequest_Report{Report: report}}
}
