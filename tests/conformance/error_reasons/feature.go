// Package error_reasons shows that what goes wrong with calls is an error of its own kind, and what goes wrong with a run is
// data.
package error_reasons

import (
	"context"
	"time"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client, lost := s.Client(), s.ClientOf("127.0.0.1:1")
	options := evalrpc.RunOptions{
		Name:      "x",
		Data:      evalrpc.Items{{Input: 1}},
		Task:      evalrpc.WorkerTask{Function: s.Unique("nobody")},
		RequestID: s.Unique("request"),
	}
	stage.Must(client.Start(ctx, options))
	options.Name = "y"
	_, err := client.Start(ctx, options)
	taken := stage.ErrorOf(err)
	options.RequestID, options.WorkerWait = "", 100*time.Millisecond
	failed := stage.Run(ctx, client, options)
	_, missing := client.Get(ctx, "exp_none")
	_, wrong := client.Start(ctx, evalrpc.RunOptions{
		Data: evalrpc.Items{{Input: 1}}, Task: evalrpc.HTTPTask{URL: "ftp://example.org"},
	})
	_, unreachable := lost.Get(ctx, "exp_none")
	return stage.Object{
		"missing":     stage.ErrorOf(missing),
		"wrong":       stage.ErrorOf(wrong),
		"taken":       stage.Object{"kind": taken["kind"], "reason": taken["reason"]},
		"unreachable": stage.ErrorOf(unreachable),
		"no_worker":   failed.Failure().Reason,
	}
}
