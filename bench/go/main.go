// Redirects to a presigned URL with the AWS SDK for Go v2. It contains its own runtime loop, because Debian has no package
// of the official runtime client.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

type request struct {
	HTTPMethod string `json:"httpMethod"`
	Path       string `json:"path"`
}

type response struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type handler struct {
	presigner *s3.PresignClient
	bucket    string
}

func main() {
	settings := must(config.LoadDefaultConfig(context.Background()))
	presigner := s3.NewPresignClient(s3.NewFromConfig(settings), s3.WithPresignExpires(5*time.Minute))
	serve(handler{presigner, os.Getenv("SIGNPOST_BUCKET")})
}

func (h handler) redirect(ctx context.Context, event request) response {
	key := must(url.PathUnescape(strings.TrimPrefix(event.Path, "/")))
	signed := must(h.presign(ctx, event.HTTPMethod, key))
	return response{StatusCode: http.StatusTemporaryRedirect, Headers: map[string]string{"location": signed.URL}}
}

func (h handler) presign(ctx context.Context, method, key string) (*v4.PresignedHTTPRequest, error) {
	switch method {
	case http.MethodPut:
		return h.presigner.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &h.bucket, Key: &key})
	case http.MethodDelete:
		return h.presigner.PresignDeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &h.bucket, Key: &key})
	case http.MethodHead:
		return h.presigner.PresignHeadObject(ctx, &s3.HeadObjectInput{Bucket: &h.bucket, Key: &key})
	default:
		return h.presigner.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &h.bucket, Key: &key})
	}
}

func serve(h handler) {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		invocation := must(http.Get(base + "next"))
		var event request
		check(json.NewDecoder(invocation.Body).Decode(&event))
		invocation.Body.Close()
		body := must(json.Marshal(h.redirect(context.Background(), event)))
		id := invocation.Header.Get("Lambda-Runtime-Aws-Request-Id")
		accepted := must(http.Post(base+id+"/response", "application/json", bytes.NewReader(body)))
		accepted.Body.Close()
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
