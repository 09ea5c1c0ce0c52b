package temporalui

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

var (
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	policyHash   = regexp.MustCompile(`'sha256-[^']*'`)
)

// indexPage is the UI's page for a public path: it names its files and its base there, and its content security policy the
// hash of the script as it is after that. (The UI's own server drops the policy instead.) An error means that a new
// version of the UI has another page, for which this must be written anew.
func indexPage(assets fs.FS, publicPath string) ([]byte, error) {
	content, err := fs.ReadFile(assets, "index.html")
	if err != nil {
		return nil, fmt.Errorf("read temporal ui's page: %w", err)
	}
	page := string(content)
	if strings.Count(page, `base: ""`) != 1 || !strings.Contains(page, `"/_app/`) {
		return nil, errors.New("rewrite temporal ui's page: it does not name its base and files as expected")
	}
	page = strings.ReplaceAll(page, `base: ""`, fmt.Sprintf(`base: %q`, publicPath))
	page = strings.ReplaceAll(page, `"/_app/`, fmt.Sprintf(`"%s/_app/`, publicPath))

	scripts, hashes := inlineScript.FindAllStringSubmatch(page, -1), policyHash.FindAllString(page, -1)
	if len(scripts) != 1 || len(hashes) != 1 {
		return nil, fmt.Errorf("rewrite temporal ui's page: it has %d inline scripts and %d hashes, not one of each", len(scripts), len(hashes))
	}
	sum := sha256.Sum256([]byte(scripts[0][1]))
	page = strings.Replace(page, hashes[0], "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'", 1)
	return []byte(page), nil
}
