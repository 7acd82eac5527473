package evalrpc

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// chunkQueue holds the results for a run evaluator that have arrived. The server sends the next chunk once one is
// acknowledged, and one again after a new connection.
type chunkQueue struct {
	acknowledge func(number int32)

	mutex    sync.Mutex
	waiting  chan *evalrpcv1.ItemResultChunk
	received int32
	taken    int32
}

func newChunkQueue(acknowledge func(number int32)) *chunkQueue {
	return &chunkQueue{acknowledge: acknowledge, waiting: make(chan *evalrpcv1.ItemResultChunk, 1)}
}

// put takes a chunk in without waiting; one that came before is acknowledged again if it was taken.
func (q *chunkQueue) put(chunk *evalrpcv1.ItemResultChunk) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	switch number := chunk.GetNumber(); {
	case number <= q.taken:
		q.acknowledge(number)
	case number == q.received+1 && q.received == q.taken:
		q.received = number
		q.waiting <- chunk
	}
}

func (q *chunkQueue) take(ctx context.Context) (*evalrpcv1.ItemResultChunk, error) {
	select {
	case chunk := <-q.waiting:
		q.mutex.Lock()
		defer q.mutex.Unlock()
		q.taken = chunk.GetNumber()
		q.acknowledge(q.taken)
		return chunk, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// results yields the results as they arrive, once.
func (q *chunkQueue) results(ctx context.Context) iter.Seq2[*ItemResult, error] {
	begun := false
	return func(yield func(*ItemResult, error) bool) {
		if begun {
			yield(nil, errors.New("evalrpc: the results of a run can be read once"))
			return
		}
		begun = true
		for {
			chunk, err := q.take(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, message := range chunk.GetItemResults() {
				if !yield(itemResultFromMessage(message), nil) {
					return
				}
			}
			if chunk.GetLast() {
				return
			}
		}
	}
}
