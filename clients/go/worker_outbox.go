package evalrpc

import (
	"runtime"

	"google.golang.org/protobuf/proto"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

const (
	// batchesCapability is the name under which worker and server say that several messages may come as one.
	batchesCapability = "batches"
	// batchBytes closes a batch: with one more report of the largest size sent over the stream it would still be sent.
	batchBytes = 1024 * 1024
)

func (s *session) allowBatches(allowed bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.batches = allowed
}

// write sends what is queued, until the stream ends.
func (s *session) write() {
	for {
		select {
		case <-s.more:
			runtime.Gosched() // calls that end together share a message
		case <-s.ctx.Done():
			return
		}
		queue, last := s.takeQueue()
		for _, request := range queue {
			if s.stream.Send(request) != nil {
				return // the reading side learns why
			}
		}
		if last {
			_ = s.stream.CloseSend() // likewise
			return
		}
	}
}

// takeQueue returns the messages to send now, and whether nothing follows them.
func (s *session) takeQueue() ([]*evalrpcv1.ServeRequest, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	queue := s.queue
	if s.credit > 0 {
		queue = append(queue, creditMessage(s.credit))
	}
	s.queue, s.credit = nil, 0
	if s.batches {
		queue = batched(queue)
	}
	return queue, s.last
}

// batched puts messages together as far as they fit.
func batched(queue []*evalrpcv1.ServeRequest) []*evalrpcv1.ServeRequest {
	var batches []*evalrpcv1.ServeRequest
	var open []*evalrpcv1.ServeRequest
	size := 0
	closeBatch := func() {
		switch len(open) {
		case 0:
		case 1:
			batches = append(batches, open[0])
		default:
			batch := &evalrpcv1.ServeRequestBatch{Requests: open}
			batches = append(batches, &evalrpcv1.ServeRequest{Message: &evalrpcv1.ServeRequest_Batch{Batch: batch}})
		}
		open, size = nil, 0
	}
	for _, request := range queue {
		bytes := proto.Size(request)
		if size+bytes > batchBytes {
			closeBatch()
		}
		open = append(open, request)
		size += bytes
	}
	closeBatch()
	return batches
}
