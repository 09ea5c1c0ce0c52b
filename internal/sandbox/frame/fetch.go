package frame

// The operations of fetch.
const (
	OpFetch = "fetch"
	OpAbort = "fetch.abort"
)

// Fetch is one request of a script; its body is the call's. An abort has the Number alone.
type Fetch struct {
	Number   int         `json:"n"` // the script's own count: what an abort names
	URL      string      `json:"u,omitempty"`
	Method   string      `json:"m,omitempty"`
	Headers  [][2]string `json:"h,omitempty"`
	HasBody  bool        `json:"b,omitempty"`
	Redirect string      `json:"r,omitempty"` // follow, manual or error
}

// Fetched is the answer to a Fetch; its body is the reply's.
type Fetched struct {
	Status     int         `json:"s"`
	StatusText string      `json:"t,omitempty"`
	Headers    [][2]string `json:"h,omitempty"`
	URL        string      `json:"u"` // of the last request, after redirects
	Redirected bool        `json:"r,omitempty"`
}
