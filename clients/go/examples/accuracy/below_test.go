//go:build below

package accuracy

import (
	"testing"

	"github.com/evalrpc/evalrpc/clients/go/evalrpctest"
)

// TestAccuracyFailsBelow does not pass, and says why: go test -tags below.
func TestAccuracyFailsBelow(t *testing.T) {
	result := quiz(t, map[string]string{"France": "Paris", "Germany": "Bonn"})
	evalrpctest.AssertAtLeast(t, result, "avg_accuracy", 0.8)
}
