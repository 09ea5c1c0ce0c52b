package api

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"
)

// The reference of the API at /docs: Swagger UI over the program's own openapi.yaml, with nothing from elsewhere. "Try it out" goes to this instance, as the person who is signed in or with
// the key that is given there.

const referencePage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>PiCloud: the API</title>
<link rel="icon" href="/docs/favicon-32x32.png"><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="reference"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>
`

const referenceScript = `SwaggerUIBundle({ url: "/docs/openapi.yaml", dom_id: "#reference", deepLinking: true, filter: true, docExpansion: "none", defaultModelsExpandDepth: -1, validatorUrl: null });
`

// referencePolicy lets the page load and call this server only. Swagger UI styles its elements itself, and its icons are data.
const referencePolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// reference serves /docs and what is below it.
func reference(r *gin.Engine) {
	assets := gin.WrapH(http.StripPrefix("/docs", statigz.FileServer(static.FS)))
	page := func(c *gin.Context) {
		c.Header("Content-Security-Policy", referencePolicy)
		c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(referencePage))
	}
	r.GET("/docs", page)
	r.GET("/docs/*file", func(c *gin.Context) {
		switch c.Param("file") {
		case "/":
			page(c)
		case "/start.js":
			c.Data(http.StatusOK, "text/javascript; charset=utf-8", []byte(referenceScript))
		case "/openapi.yaml":
			c.Data(http.StatusOK, "application/yaml", openAPI)
		default:
			assets(c)
		}
	})
}
