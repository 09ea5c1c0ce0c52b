// Takes one GitHub webhook delivery, whatever its kind, and stores what it is about under deliveries:<event>/<delivery id>.

interface Delivery {
  event: string;
  action: string | null;
  repository: { full_name: string; private: boolean } | null;
  sender: string | null;
  account: string | null;
  title: string | null;
  url: string | null;
}

export default async function (event: HttpEvent, ctx: Context) {
  const { headers, body } = event.data;
  const kind = headers["x-github-event"];
  const id = headers["x-github-delivery"];
  if (!kind || !id) {
    return Response.json({ error: "not a GitHub delivery: X-GitHub-Event or X-GitHub-Delivery is missing" }, { status: 400 });
  }
  if (body === null || typeof body !== "object") {
    return Response.json({ error: "not a GitHub delivery: the body is no JSON object" }, { status: 400 });
  }

  // GitHub sends a delivery again when it is not sure of our answer: the second one changes nothing.
  const collection = `deliveries:${kind}`;
  if (await ctx.kv.get(collection, id)) {
    return { stored: false, id };
  }
  await ctx.kv.set(collection, id, normalise(kind, body));
  return Response.json({ stored: true, id, event: kind, action: body.action ?? null }, { status: 201 });
}

// The things that a delivery may be about, most telling first.
const subjects = ["issue", "pull_request", "discussion", "release", "check_run", "workflow_run", "alert", "deployment", "head_commit", "project", "package"];

function normalise(event: string, body: any): Delivery {
  const subject = subjects.map((name) => body[name]).find((value) => value != null);
  return {
    event,
    action: body.action ?? null,
    repository: body.repository ? { full_name: body.repository.full_name, private: body.repository.private ?? false } : null,
    sender: body.sender?.login ?? null,
    account: body.organization?.login ?? body.installation?.account?.login ?? body.sender?.login ?? null,
    title: subject?.title ?? subject?.name ?? subject?.message ?? null,
    url: subject?.html_url ?? body.compare ?? null,
  };
}
