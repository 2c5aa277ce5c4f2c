package identity

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// open are the methods that need no token: health is asked by machines that hold none.
const open = "/grpc.health.v1.Health/"

// Unary asks every call for a token and puts its person into the context.
func (t *Tokens) Unary() grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		ctx, err := t.enter(ctx, info.FullMethod)
		if err != nil {
			return nil, err
		}
		return next(ctx, req)
	}
}

// Stream is Unary for streams.
func (t *Tokens) Stream() grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		ctx, err := t.enter(ss.Context(), info.FullMethod)
		if err != nil {
			return err
		}
		return next(srv, stream{ServerStream: ss, ctx: ctx})
	}
}

func (t *Tokens) enter(ctx context.Context, method string) (context.Context, error) {
	if strings.HasPrefix(method, open) {
		return ctx, nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get("authorization")
	if len(values) != 1 {
		return ctx, status.Error(codes.Unauthenticated, "send the metadata authorization: Bearer TOKEN")
	}
	token, ok := strings.CutPrefix(values[0], "Bearer ")
	if !ok {
		return ctx, status.Error(codes.Unauthenticated, "the authorization is not of the form Bearer TOKEN")
	}
	p, ok := t.Who(token)
	if !ok {
		if !WellFormed(token) {
			return ctx, status.Error(codes.Unauthenticated, "this is no leadpact token, or a letter of it is wrong")
		}
		return ctx, status.Error(codes.Unauthenticated, "the token is not known here")
	}
	return With(ctx, p), nil
}

type stream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // grpc hands a stream's context out through the stream
}

func (s stream) Context() context.Context { return s.ctx }

// Bearer sends a token with every call of a client. The connection may be plain text: everything binds to loopback unless told
// otherwise.
type Bearer string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b Bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (Bearer) RequireTransportSecurity() bool { return false }
