package main

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

const largestMessage = 64 << 20

// Shoal is one connection; the stubs of every service take it.
type Shoal struct{ *grpc.ClientConn }

// Connect opens a connection: TLS for https, the key with each call, and the retries of service_config.json, which
// SHOAL_CONTRACT holds. Debian's grpc-go retries when GRPC_GO_RETRY=on, later ones by themselves.
func Connect(address, key string) (*Shoal, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	retries, err := os.ReadFile(filepath.Join(contract(), "service_config.json"))
	if err != nil {
		return nil, err
	}
	security, port := grpc.WithInsecure(), "80" // insecure.NewCredentials() where grpc-go has it
	if parsed.Scheme == "https" {
		security, port = grpc.WithTransportCredentials(credentials.NewTLS(nil)), "443"
	}
	if parsed.Port() != "" {
		port = parsed.Port()
	}
	connection, err := grpc.Dial(net.JoinHostPort(parsed.Hostname(), port), // NewClient where grpc-go has it
		security,
		grpc.WithDefaultServiceConfig(string(retries)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largestMessage)),
		grpc.WithUnaryInterceptor(keyedCall(key)),
		grpc.WithStreamInterceptor(keyedStream(key)))
	return &Shoal{connection}, err
}

func contract() string {
	if folder := os.Getenv("SHOAL_CONTRACT"); folder != "" {
		return folder
	}
	return "../../../gen/clients"
}

func withKey(ctx context.Context, key string) context.Context {
	if key == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key)
}

func keyedCall(key string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, answer interface{}, to *grpc.ClientConn,
		call grpc.UnaryInvoker, options ...grpc.CallOption) error {
		return call(withKey(ctx, key), method, request, answer, to, options...)
	}
}

func keyedStream(key string) grpc.StreamClientInterceptor {
	return func(ctx context.Context, about *grpc.StreamDesc, to *grpc.ClientConn, method string,
		open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
		return open(withKey(ctx, key), about, to, method, options...)
	}
}
