package api

import (
	"fmt"
	"strings"
)

// httpConfigScenarios are what the config of an http trigger may be. The app has the secret KEY.
func httpConfigScenarios() []scenario {
	create := func(name, config string) scenario {
		return scenario{
			name: "http config: " + name, operation: "createTrigger", method: "POST", path: shop + "/triggers",
			body: `{"name":"t","kind":"http","script":"unused","config":` + config + `}`,
		}
	}
	good := func(name, config string, says ...string) scenario {
		s := create(name, config)
		s.status, s.says = 201, says
		return s
	}
	bad := func(name, config, field string) scenario {
		s := create(name, config)
		s.status, s.code, s.field = 422, "invalid", field
		return s
	}
	patch := func(name, body string) scenario {
		return scenario{name: "http config: " + name, operation: "patchTrigger", method: "PATCH", path: shop + "/triggers/" + idHTTPTrigger, body: body}
	}
	gone := patch("patch to a webhook without its secret", `{"config":{"auth":"webhook","secret":"NONE"}}`)
	gone.status, gone.code, gone.field = 422, "invalid", "config.secret"
	hooked := patch("patch to a webhook", `{"config":{"auth":"webhook","secret":"KEY","signature":"slack","cors":{"origins":["*"]}}}`)
	hooked.status, hooked.says = 200, []string{`"auth":"webhook"`, `"signature":"slack"`, `"cors":{"origins":["*"]}`}
	return []scenario{
		good("open", `{"auth":"none","path":"/orders/:id"}`, `"config":{"auth":"none","mode":"sync","path":"/orders/:id"}`),
		good("named rest", `{"path":"/files/*rest"}`), good("star", `{"path":"*"}`),
		good("webhook", `{"auth":"webhook","secret":"KEY"}`, `"config":{"auth":"webhook","mode":"sync","secret":"KEY","signature":"standard"}`),
		good("webhook with all", `{"auth":"webhook","secret":"KEY","signature":"stripe","tolerance":"10m","mode":"async","methods":["post"]}`, `"signature":"stripe","tolerance":"10m"`, `"methods":["POST"]`),
		good("cors", `{"cors":{"origins":["https://a.example","https://*.b.example:8443"],"methods":["put","PUT"],"headers":["X-A"],"credentials":true,"max_age":"10m"}}`,
			`"cors":{"credentials":true,"headers":["X-A"],"max_age":"10m","methods":["PUT"],"origins":["https://a.example","https://*.b.example:8443"]}`),
		good("callers that take their executions along", `{"on_disconnect":"cancel"}`, `"config":{"auth":"key","mode":"sync","on_disconnect":"cancel"}`), good("callers that do not", `{"on_disconnect":"continue","mode":"sync"}`, `"config":{"auth":"key","mode":"sync"}`),
		bad("callers that nobody knows", `{"on_disconnect":"stop"}`, "config.on_disconnect"), bad("callers that do not wait", `{"mode":"async","on_disconnect":"cancel"}`, "config.on_disconnect"),
		bad("webhook without a secret", `{"auth":"webhook"}`, "config.secret"), bad("webhook with no such secret", `{"auth":"webhook","secret":"NONE"}`, "config.secret"),
		bad("webhook with no name", `{"auth":"webhook","secret":"a b"}`, "config.secret"), bad("unknown scheme", `{"auth":"webhook","secret":"KEY","signature":"paypal"}`, "config.signature"),
		bad("secret of no webhook", `{"auth":"none","secret":"KEY"}`, "config.secret"), bad("scheme of no webhook", `{"signature":"github"}`, "config.signature"), bad("tolerance of no webhook", `{"tolerance":"1m"}`, "config.tolerance"),
		bad("tolerance without a timestamp", `{"auth":"webhook","secret":"KEY","signature":"github","tolerance":"1m"}`, "config.tolerance"),
		bad("tolerance too long", `{"auth":"webhook","secret":"KEY","tolerance":"12h"}`, "config.tolerance"), bad("tolerance too short", `{"auth":"webhook","secret":"KEY","tolerance":"1ms"}`, "config.tolerance"),
		bad("tolerance no duration", `{"auth":"webhook","secret":"KEY","tolerance":"soon"}`, "config.tolerance"),
		bad("parameter without a name", `{"path":"/a/:"}`, "config.path"), bad("two of a name", `{"path":"/:a/:a"}`, "config.path"), bad("star inside", `{"path":"/*/a"}`, "config.path"), bad("NUL", `{"path":"/\u0000"}`, "config.path"),
		bad("cors without origins", `{"cors":{}}`, "config.cors.origins"), bad("cors with none", `{"cors":{"origins":[]}}`, "config.cors.origins"), bad("cors of a host", `{"cors":{"origins":["a.example"]}}`, "config.cors.origins"),
		bad("cors of a page", `{"cors":{"origins":["https://a.example/x"]}}`, "config.cors.origins"), bad("cors of two stars", `{"cors":{"origins":["https://*.*.example"]}}`, "config.cors.origins"),
		bad("cors of all with credentials", `{"cors":{"origins":["*"],"credentials":true}}`, "config.cors.credentials"), bad("cors method", `{"cors":{"origins":["*"],"methods":["A B"]}}`, "config.cors.methods"),
		bad("cors header", `{"cors":{"origins":["*"],"headers":["A:B"]}}`, "config.cors.headers"),
		bad("cors age", `{"cors":{"origins":["*"],"max_age":"48h"}}`, "config.cors.max_age"), bad("cors age no duration", `{"cors":{"origins":["*"],"max_age":"x"}}`, "config.cors.max_age"),
		bad("cors field", `{"cors":{"origins":["*"],"origin":"x"}}`, "config.cors.origin"),
		bad("cors of too many", `{"cors":{"origins":[`+numbered(51)+`]}}`, "config.cors.origins"),
		gone, hooked,
	}
}

// numbered gives n origins.
func numbered(n int) string {
	origins := make([]string, n)
	for i := range origins {
		origins[i] = fmt.Sprintf(`"https://%d.example"`, i)
	}
	return strings.Join(origins, ",")
}
