package evalrpc

import (
	"context"
	"iter"
	"time"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// Definition is an experiment kept on the server under a name, to be started by a webhook.
type Definition struct {
	// Name of the definition.
	Name string
	// Experiment is its spec. Nil: it cannot be read, and Problem says why.
	Experiment *evalrpcv1.ExperimentSpec
	// Problem is what is wrong with it as it is now, though an earlier version may still be in use. Empty: nothing.
	Problem string
	// UpdateTime is when it was last changed.
	UpdateTime time.Time
}

// ListDefinitions yields the experiments kept on the server for webhooks, by name.
func (c *Client) ListDefinitions(ctx context.Context) iter.Seq2[*Definition, error] {
	return pages(func(token string) ([]*Definition, string, error) {
		request := &evalrpcv1.ListDefinitionsRequest{PageToken: token}
		response, err := call(ctx, c, c.experiments.ListDefinitions, request)
		return mapped(response.GetDefinitions(), definitionFromMessage), response.GetNextPageToken(), err
	})
}

func definitionFromMessage(message *evalrpcv1.Definition) *Definition {
	return &Definition{
		Name:       message.GetName(),
		Experiment: message.GetExperiment(),
		Problem:    message.GetProblem(),
		UpdateTime: timeOf(message.GetUpdateTime()),
	}
}
