// Package trace_context shows a function that learns the W3C trace context that its own spans join.
package trace_context

import (
	"context"
	"strings"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func task(ctx context.Context, _ evalrpc.TaskItem) (any, error) {
	return evalrpc.TraceContext(ctx)["traceparent"], nil
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	result := stage.Run(ctx, s.Client(), evalrpc.RunOptions{
		Name: s.Unique("run"), Data: evalrpc.Items{{Input: 1}}, Task: evalrpc.TaskFunc(task),
	})
	found := result.ItemResults[0]
	parts := strings.Split(found.Output.String(), "-")
	return stage.Object{"version": parts[0], "same_trace": parts[1] == found.TraceID}
}
