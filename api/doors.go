package api

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
)

// door is one of the parts of the address space, with what a browser may do with its answers.
type door struct {
	prefix string // of the path; "" = the rest
	policy string // Content-Security-Policy; "" = the page brings its own
	store  bool   // caches may keep the answers
	serves Serves // whose it is in a cluster
}

// doors are tried in their order. Scripts' answers share the host with the dashboard and may be anybody's HTML: the sandbox gives such a page an origin of its
// own, so that it runs, but reads and sends nothing as the person who is signed in here (CSP Level 3, section 6.3.2).
var doors = []door{
	{prefix: "/v1", policy: "default-src 'none'; frame-ancestors 'none'", serves: ServesControl},
	{prefix: "/run", policy: "sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts", store: true, serves: ServesScripts},
	{prefix: "/temporal", store: true, serves: ServesControl},
	{prefix: "", policy: "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'", store: true, serves: ServesControl},
}

// doorOf gives the door of a path: the last one is everything's.
func doorOf(path string) door {
	i := slices.IndexFunc(doors, func(d door) bool { return d.prefix == "" || underPrefix(path, d.prefix) })
	return doors[i]
}

// Serves says which doors a process of a cluster opens; health and metrics are open in each.
type Serves uint8

// The doors of a process.
const (
	ServesAll     Serves = iota
	ServesControl        // everything but the scripts' endpoints: API, sign-in, Temporal UI, dashboard
	ServesScripts        // the scripts' endpoints
	ServesHealth         // none
)

// whose is said of the doors that a process does not open.
var whose = map[Serves]string{
	ServesControl: "the manager of this cluster serves this address",
	ServesScripts: "the orchestrators of this cluster serve the endpoints of scripts",
}

// watched are the addresses by which a process is watched.
var watched = []string{"/healthz", "/readyz", "/metrics"}

// misdirected refuses what another process of the cluster serves (RFC 9110, section 15.5.20).
func (s *server) misdirected(c *gin.Context) {
	d := doorOf(c.Request.URL.Path)
	if s.Serves == ServesAll || s.Serves == d.serves || slices.Contains(watched, c.Request.URL.Path) {
		c.Next()
		return
	}
	s.write(c, http.StatusMisdirectedRequest, problem{Code: "misdirected", Detail: whose[d.serves]})
}
