package temporalui_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/picloud/picloud/deployments/embedded/temporalui"
	"github.com/picloud/picloud/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// serve mounts the UI below /temporal of a server that has other things too.
func serve(t *testing.T, address string) (*httptest.Server, *http.Client) {
	t.Helper()
	ui, err := temporalui.New(temporalui.Options{TemporalAddress: address, Namespace: "default", PublicPath: "/temporal"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ui.Close()) })
	mux := http.NewServeMux()
	mux.Handle("/temporal/", ui)
	mux.Handle("/temporal", ui)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return server, &http.Client{Jar: jar}
}

// answer is what the tests look at of a response, beside its body.
type answer struct {
	StatusCode int
	Header     http.Header
	Request    *http.Request // the last one, after redirects
}

func get(t *testing.T, c *http.Client, url string) (answer, string) {
	t.Helper()
	response, err := c.Get(url)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{StatusCode: response.StatusCode, Header: response.Header, Request: response.Request}, string(body)
}

func TestPagesAndFilesNeedNoTemporal(t *testing.T) {
	t.Parallel()
	server, c := serve(t, "127.0.0.1:1")
	response, page := get(t, c, server.URL+"/temporal/")
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Contains(t, response.Header.Get("Content-Type"), "text/html")
	require.Contains(t, page, `base: "/temporal"`)

	files := regexp.MustCompile(`"(/[^"]*/_app/[^"]+)"`).FindAllStringSubmatch(page, -1)
	require.NotEmpty(t, files)
	for _, file := range files {
		response, content := get(t, c, server.URL+file[1])
		require.Equal(t, http.StatusOK, response.StatusCode, file[1])
		require.Contains(t, response.Header.Get("Content-Type"), "javascript")
		require.NotEmpty(t, content)
	}

	response, deep := get(t, c, server.URL+"/temporal/namespaces/default/workflows?query=x")
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, page, deep, "every page is the application")

	response, _ = get(t, c, server.URL+"/temporal")
	require.Equal(t, "/temporal/", response.Request.URL.Path)

	response, rendered := get(t, c, server.URL+"/temporal/render?content=**bold**")
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Contains(t, rendered, "<strong>bold</strong>")
}

func TestPolicyAllowsTheScriptOfThePage(t *testing.T) {
	t.Parallel()
	server, c := serve(t, "127.0.0.1:1")
	_, page := get(t, c, server.URL+"/temporal/")
	script := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindStringSubmatch(page)
	require.Len(t, script, 2)
	sum := sha256.Sum256([]byte(script[1]))
	require.Contains(t, page, "http-equiv=\"content-security-policy\"")
	require.Contains(t, page, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
}

func TestAPICallsTemporal(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a Temporal")
	}
	server, c := serve(t, testkit.Temporal(t))
	namespace := testkit.TemporalNamespace(t, nil)

	response, body := get(t, c, server.URL+"/temporal/api/v1/settings")
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Contains(t, body, `"DefaultNamespace":"default"`)

	response, body = get(t, c, server.URL+"/temporal/api/v1/namespaces?pageSize=1000")
	require.Equal(t, http.StatusOK, response.StatusCode)
	var listed struct {
		Namespaces []struct {
			NamespaceInfo struct{ Name string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &listed))
	var names []string
	for _, n := range listed.Namespaces {
		names = append(names, n.NamespaceInfo.Name)
	}
	require.Contains(t, names, namespace)

	response, body = get(t, c, server.URL+"/temporal/api/v1/namespaces/"+namespace+"/workflows/none%2Fsuch")
	require.Equal(t, http.StatusNotFound, response.StatusCode, body)
}

func TestOtherSitesCanNotWrite(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a Temporal")
	}
	server, c := serve(t, testkit.Temporal(t))
	namespace := testkit.TemporalNamespace(t, nil)
	url := server.URL + "/temporal/api/v1/namespaces/" + namespace + "/workflows/own-1"
	post := func(header http.Header) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url,
			strings.NewReader(`{"workflowType":{"name":"Nobody"},"taskQueue":{"name":"q"}}`))
		require.NoError(t, err)
		for name, values := range header {
			request.Header[name] = values
		}
		response, err := c.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	require.Equal(t, http.StatusForbidden, post(http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://elsewhere.example"}}))
	require.Equal(t, http.StatusOK, post(http.Header{"Sec-Fetch-Site": {"same-origin"}}))
}

func TestPublicPathIsChecked(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/", "temporal", "/temporal/"} {
		_, err := temporalui.New(temporalui.Options{TemporalAddress: "127.0.0.1:1", PublicPath: path})
		require.Error(t, err, path)
	}
}
