package evalrpc

import (
	"context"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// Client is a connection to an evalrpc server. It is safe for concurrent use. Close it when done.
type Client struct {
	address     string
	timeout     time.Duration
	connection  *grpc.ClientConn
	experiments evalrpcv1.ExperimentServiceClient
	evaluators  evalrpcv1.EvaluatorServiceClient
	datasets    evalrpcv1.DatasetServiceClient
	workers     evalrpcv1.WorkerServiceClient
}

// NewClient settles how to connect. Nothing is sent: a server that cannot be reached shows with the first call.
//
// The address is host:port, or https://host:port for TLS; if empty, the environment's EVALRPC_ADDRESS or localhost:50051.
func NewClient(address string, options ...Option) (*Client, error) {
	where, encrypted, err := target(address)
	if err != nil {
		return nil, err
	}
	s := &settings{token: os.Getenv("EVALRPC_TOKEN"), timeout: defaultTimeout}
	if encrypted {
		WithTLS(nil)(s)
	}
	for _, option := range options {
		option(s)
	}
	connection, err := grpc.NewClient(where, dialOptions(s)...)
	if err != nil {
		return nil, invalid(Violation{"address", err.Error()})
	}
	return &Client{
		address:     where,
		timeout:     s.timeout,
		connection:  connection,
		experiments: evalrpcv1.NewExperimentServiceClient(connection),
		evaluators:  evalrpcv1.NewEvaluatorServiceClient(connection),
		datasets:    evalrpcv1.NewDatasetServiceClient(connection),
		workers:     evalrpcv1.NewWorkerServiceClient(connection),
	}, nil
}

// Address returns where the server is.
func (c *Client) Address() string { return c.address }

// Connection returns the connection below, for calls of the contract that this package has no method for: make a client
// of the generated package evalrpcv1 with it.
func (c *Client) Connection() *grpc.ClientConn { return c.connection }

// Close ends the connection and all calls. Experiments run on.
func (c *Client) Close() error { return c.connection.Close() }

// call makes a unary call within the client's timeout, and returns its error as an [Error].
func call[Q, A any](
	ctx context.Context, c *Client, method func(context.Context, Q, ...grpc.CallOption) (A, error), request Q,
) (A, error) {
	return callWithin(ctx, c, c.timeout, method, request)
}

// callWithin makes a call that may take longer than others.
func callWithin[Q, A any](
	ctx context.Context, c *Client, timeout time.Duration,
	method func(context.Context, Q, ...grpc.CallOption) (A, error), request Q,
) (A, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var trailer metadata.MD
	answer, err := method(ctx, request, grpc.Trailer(&trailer))
	if err != nil {
		var none A
		return none, errorFromCall(err, trailer, c.address)
	}
	return answer, nil
}
