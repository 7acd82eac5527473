// Package bearer_token shows a server that asks for a token and lets in whoever has one.
package bearer_token

import (
	"context"

	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	answer := func(token string) stage.Object {
		_, err := s.SecuredClient(token, true).Get(ctx, "exp_none")
		told := stage.ErrorOf(err)
		return stage.Object{"kind": told["kind"], "reason": told["reason"]}
	}
	return stage.Object{
		"let_in": answer(s.Token())["kind"], "without": answer(""), "with_another": answer("none"),
	}
}
