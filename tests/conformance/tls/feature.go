// Package tls shows a run and its functions over TLS; a server of another authority is not trusted.
package tls

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func task(_ context.Context, input int) (int, error) { return input + 1, nil }

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.SecuredClient(s.Token(), true)
	result := stage.Run(ctx, client, evalrpc.RunOptions{
		Name: s.Unique("run"), Data: evalrpc.Items{{Input: 2}}, Task: evalrpc.TypedTask(task),
	})
	_, distrusted := s.SecuredClient(s.Token(), false).Get(ctx, "exp_none")
	_, unencrypted := s.ClientOf(client.Address()).Get(ctx, "exp_none")
	return stage.Object{
		"output":      json.RawMessage(result.ItemResults[0].Output),
		"distrusted":  stage.ErrorOf(distrusted)["kind"],
		"unencrypted": errors.Is(unencrypted, evalrpc.ErrUnavailable),
	}
}
