package evalrpc

import (
	"context"
	"crypto/tls"
	_ "embed" // service_config.json
	"net/url"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

const (
	defaultAddress  = "localhost:50051"
	defaultTimeout  = 30 * time.Second
	maxMessageBytes = 4 * 1024 * 1024
)

//go:embed service_config.json
var serviceConfig string

// An Option settles how a [Client] connects.
type Option func(*settings)

type settings struct {
	token   string
	tls     *tls.Config
	timeout time.Duration
	dial    []grpc.DialOption
}

// WithToken sends a bearer token with every call. Default: the environment's EVALRPC_TOKEN.
func WithToken(token string) Option { return func(s *settings) { s.token = token } }

// WithTLS encrypts the connection. A nil config trusts the system's authorities.
func WithTLS(config *tls.Config) Option {
	return func(s *settings) {
		if config == nil {
			config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		s.tls = config
	}
}

// WithTimeout bounds how long a call may take, streams of events, uploads and workers apart. Default: 30 s.
func WithTimeout(timeout time.Duration) Option { return func(s *settings) { s.timeout = timeout } }

// WithDialOptions adds options of gRPC's own, such as interceptors.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dial = append(s.dial, options...) }
}

// target returns where to connect, as host:port or another target that gRPC understands, and whether to encrypt.
func target(address string) (string, bool, error) {
	if address == "" {
		address = os.Getenv("EVALRPC_ADDRESS")
	}
	if address == "" {
		address = defaultAddress
	}
	scheme, _, found := strings.Cut(address, "://")
	if !found || (scheme != "http" && scheme != "https") {
		return address, false, nil
	}
	parsed, err := url.Parse(address)
	if err != nil || strings.Trim(parsed.Path, "/") != "" || parsed.RawQuery != "" || parsed.Host == "" {
		return "", false, invalid(Violation{"address", "must be host:port, not " + address})
	}
	if parsed.Port() == "" {
		parsed.Host += map[string]string{"http": ":80", "https": ":443"}[scheme]
	}
	return parsed.Host, scheme == "https", nil
}

func dialOptions(s *settings) []grpc.DialOption {
	transport := insecure.NewCredentials()
	if s.tls != nil {
		transport = credentials.NewTLS(s.tls)
	}
	return append([]grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithUserAgent("evalrpc-go/" + Version),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessageBytes),
			grpc.MaxCallSendMsgSize(maxMessageBytes),
			// A call is repeated only while its request is in this buffer, whose default is smaller than a large spec.
			grpc.MaxRetryRPCBufferSize(2*maxMessageBytes),
		),
		// A frozen server is noticed after 15 s.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		// A server that restarts is found again at once.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithChainUnaryInterceptor(unaryMetadata(s)),
		grpc.WithChainStreamInterceptor(streamMetadata(s)),
	}, s.dial...)
}

func (s *settings) outgoing(ctx context.Context) context.Context {
	ctx = metadata.AppendToOutgoingContext(ctx, "evalrpc-client", "go/"+Version)
	if s.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+s.token)
	}
	return ctx
}

func unaryMetadata(s *settings) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, reply any, connection *grpc.ClientConn,
		invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		return invoke(s.outgoing(ctx), method, request, reply, connection, options...)
	}
}

func streamMetadata(s *settings) grpc.StreamClientInterceptor {
	return func(ctx context.Context, description *grpc.StreamDesc, connection *grpc.ClientConn, method string,
		open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
		return open(s.outgoing(ctx), description, connection, method, options...)
	}
}
