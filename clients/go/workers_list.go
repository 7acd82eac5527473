package evalrpc

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// WorkerState is how a worker does.
type WorkerState string

// The states of workers. A draining one finishes what it has; a disconnected one has calls whose leases have not run out.
const (
	WorkerConnected    WorkerState = "CONNECTED"
	WorkerDraining     WorkerState = "DRAINING"
	WorkerDisconnected WorkerState = "DISCONNECTED"
)

// ListedWorker is a worker as the server knows it.
type ListedWorker struct {
	// ID that it gave itself.
	ID string
	// Functions are the names of what it hosts.
	Functions []string
	// State of the worker.
	State WorkerState
	// MaxInFlight is how many calls it takes at once.
	MaxInFlight int
	// InFlight calls that it has at the moment.
	InFlight int
	// Completed calls since it connected.
	Completed int
	// Failed calls since it connected.
	Failed int
	// Lost calls, taken from it as it was silent, since it connected.
	Lost int
	// Client library and its version, such as "evalrpc-go 0.1.0".
	Client string
	// ConnectTime is when it connected.
	ConnectTime time.Time
	// LastHeartbeatTime is when it was last heard.
	LastHeartbeatTime time.Time
}

// ListWorkers yields the connected workers by id, or only those that host a function if one is named.
func (c *Client) ListWorkers(ctx context.Context, function string) iter.Seq2[*ListedWorker, error] {
	return pages(func(token string) ([]*ListedWorker, string, error) {
		request := &evalrpcv1.ListWorkersRequest{Function: function, PageToken: token}
		response, err := call(ctx, c, c.workers.ListWorkers, request)
		return mapped(response.GetWorkers(), listedWorkerFromMessage), response.GetNextPageToken(), err
	})
}

func listedWorkerFromMessage(message *evalrpcv1.Worker) *ListedWorker {
	return &ListedWorker{
		ID:                message.GetId(),
		Functions:         mapped(message.GetFunctions(), (*evalrpcv1.HostedFunction).GetName),
		State:             WorkerState(strings.TrimPrefix(message.GetState().String(), "WORKER_STATE_")),
		MaxInFlight:       int(message.GetMaxInFlight()),
		InFlight:          int(message.GetInFlight()),
		Completed:         int(message.GetCompleted()),
		Failed:            int(message.GetFailed()),
		Lost:              int(message.GetLost()),
		Client:            strings.TrimSpace(message.GetClientName() + " " + message.GetClientVersion()),
		ConnectTime:       timeOf(message.GetConnectTime()),
		LastHeartbeatTime: timeOf(message.GetLastHeartbeatTime()),
	}
}
