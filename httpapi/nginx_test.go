package httpapi_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobstore/jobstore"
	"github.com/jobstore/jobstore/httpapi"
)

// nginxConfig has nginx's defaults, but for the two headers that a proxy must set:
// one server ends TLS, both take a prefix off the paths.
const nginxConfig = `
daemon off;
%[5]s
pid %[1]s/pid;
error_log %[1]s/errors;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen 127.0.0.1:%[3]d ssl;
		listen 127.0.0.1:%[4]d;
		ssl_certificate %[1]s/cert.pem;
		ssl_certificate_key %[1]s/key.pem;
		location /media/ {
			proxy_pass http://%[2]s/;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_set_header X-Forwarded-Host $http_host;
			proxy_set_header X-Forwarded-Prefix /media;
		}
	}
}
`

// startNginx runs nginx in front of the server at upstream, and returns the addresses
// of its servers with and without TLS, and a client that believes the certificate.
func startNginx(t *testing.T, upstream string) (secure, plain string, client *http.Client) {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil && os.Getenv("JOBSTORE_REQUIRE_NGINX") != "" {
		require.NoError(t, err, "JOBSTORE_REQUIRE_NGINX is set")
	}
	if err != nil {
		t.Skip("nginx is not installed")
	}
	folder := t.TempDir()
	// The certificate of httptest is good for 127.0.0.1.
	lender := httptest.NewTLSServer(http.NotFoundHandler())
	lender.Close()
	pair := lender.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600))
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // whom the folder belongs to
	}
	ports := freePorts(t)
	config := filepath.Join(folder, "nginx.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, nginxConfig, folder, upstream, ports[0], ports[1], user), 0o600))
	cmd := exec.Command(program, "-p", folder, "-c", config)
	var said strings.Builder
	cmd.Stderr = &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	plain = fmt.Sprintf("127.0.0.1:%d", ports[1])
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", plain)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 10*time.Second, 10*time.Millisecond, "%s", &said)

	roots := x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return fmt.Sprintf("127.0.0.1:%d", ports[0]), plain, &http.Client{Transport: transport}
}

// freePorts returns two ports that nobody listens on.
func freePorts(t *testing.T) (ports [2]int) {
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { _ = l.Close() }()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// TestBehindNginx uses the API through nginx as Debian has it: under a prefix, with TLS and
// without, by links alone, with headers of the default size.
func TestBehindNginx(t *testing.T) {
	store := openStore(t)
	fill(t, store, 50)
	long := "https://example.com/" + strings.Repeat("/,:", 800)
	for range 3 {
		job := newJob(0)
		job.Input = long
		require.NoError(t, store.Create(t.Context(), job))
	}
	mux := http.NewServeMux()
	options := &httpapi.Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	mux.Handle("/", httpapi.New(store, options))
	mux.Handle("/store/", httpapi.NewOperator(store, options))
	secure, plain, client := startNginx(t, serve(t, mux))

	ask := func(method, at, body string, headers ...string) answer {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, at, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		resp, err := client.Do(r)
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return answer{resp, string(text)}
	}
	for _, base := range []string{"https://" + secure + "/media", "http://" + plain + "/media"} {
		// All pages there and back, with a filter whose links would be too long.
		var last string
		seen := 0
		for at := base + "/jobs?limit=20"; at != ""; {
			page := ask("GET", at, "")
			seen += len(page.jobs(t))
			last, at = at, page.link("next")
			assert.True(t, at == "" || strings.HasPrefix(at, base+"/jobs?"), at)
		}
		assert.GreaterOrEqual(t, seen, 53)
		assert.Len(t, ask("GET", ask("GET", last, "").link("prev"), "").jobs(t), 20)
		filtered := base + "/jobs?limit=1&input=" + url.QueryEscape(long)
		second := ask("GET", filtered, "").link("next")
		middle := ask("GET", second, "")
		assert.Len(t, middle.jobs(t), 1)
		assert.NotEmpty(t, middle.link("prev"))
		assert.Len(t, ask("GET", middle.link("next"), "").jobs(t), 1)

		// A job is made and found at its Location.
		made := ask("POST", base+"/jobs", good)
		require.Equal(t, 201, made.StatusCode, made.body)
		at := made.Header.Get("Location")
		assert.True(t, strings.HasPrefix(at, base+"/jobs/job_"), at)
		got := ask("GET", at, "")
		assert.Equal(t, made.body, got.body)

		for _, method := range []string{"GET", "HEAD"} {
			same := ask(method, at, "", "If-None-Match: "+got.Header.Get("ETag"))
			assert.Equal(t, http.StatusNotModified, same.StatusCode)
			assert.Empty(t, same.body)
		}
		headed := ask("HEAD", base+"/jobs", "", "Accept-Encoding: identity")
		assert.Equal(t, 200, headed.StatusCode)
		assert.Equal(t, int64(len(ask("GET", base+"/jobs", "", "Accept-Encoding: identity").body)), headed.ContentLength)
		assert.Equal(t, 204, ask("DELETE", at, "").StatusCode)

		// A page of this origin may change something, one of another may not.
		origin, _, _ := strings.Cut(base, "/media")
		assert.Equal(t, 201, ask("POST", base+"/jobs", good, "Origin: "+origin).StatusCode)
		assert.Equal(t, 403, ask("POST", base+"/jobs", good, "Origin: https://evil.example").StatusCode)

		// Errors come through as they are.
		for line, status := range map[string]int{
			"GET /jobs?limit=0": 400, "GET /nothing": 404, "PUT /jobs": 405, "GET /jobs?stat=x": 400, "GET /jobs/job_none": 404,
		} {
			method, target, _ := strings.Cut(line, " ")
			refused := ask(method, base+target, "")
			assert.Equal(t, status, refused.StatusCode)
			assert.Contains(t, refused.body, `{"kind":"`)
		}
		checked := ask("POST", base+"/store/check", "")
		assert.Contains(t, checked.body, `{"outcome":{"problems":0}}`)
		assert.Contains(t, ask("GET", base+"/", "").body, `"jobs":"`+base+`/jobs"`)
	}

	// Pages that are sent job by job, packed and not.
	fillLarge(t, store, 4, 700<<10)
	for _, accept := range []string{"identity", "gzip"} {
		big := ask("GET", "https://"+secure+"/media/jobs?limit=4", "", "Accept-Encoding: "+accept)
		assert.Equal(t, accept == "gzip", big.Header.Get("Content-Encoding") == "gzip")
		assert.Equal(t, 200, big.StatusCode)
	}
	big := ask("GET", "https://"+secure+"/media/jobs?limit=4", "")
	assert.Len(t, big.jobs(t), 4)

	// A client that speaks HTTP/1.0, without a Host.
	conn, err := net.Dial("tcp", plain)
	require.NoError(t, err)
	_, err = io.WriteString(conn, "GET /media/jobs?limit=1&kind=audio HTTP/1.0\r\n\r\n")
	require.NoError(t, err)
	text, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Contains(t, string(text), " 200 OK\r\n")
	assert.Contains(t, string(text), "/media/jobs?after=job_")
	assert.Contains(t, string(text), `"object":"job"`)
	_ = conn.Close()
	assert.Equal(t, jobstore.StatusQueued, big.jobs(t)[0].Status)
}
