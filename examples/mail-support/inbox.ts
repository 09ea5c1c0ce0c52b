// Files every mail as a ticket, tickets/<number>, and answers with the number. A mail to support+<number>@… joins its ticket.

interface Ticket {
  from: string;
  subject: string;
  messages: { at: string; from: string; text: string; files: string[]; verified: boolean }[];
}

export default async function (event: EmailEvent, ctx: Context) {
  const mail = event.data;
  if (!mail.from) {
    return { ignored: "a mail of nobody" };
  }
  const message = {
    at: event.time,
    from: mail.from,
    text: mail.text,
    files: mail.attachments.map((a) => a.filename),
    verified: mail.spf === "pass" || mail.dkim === "pass",
  };

  const known = /\+(\d+)@/.exec(event.subject)?.[1];
  const before: Ticket | null = known ? await ctx.kv.get("tickets", known) : null;
  if (known && before && before.from === mail.from) {
    before.messages.push(message);
    await ctx.kv.set("tickets", known, before);
    return { ticket: known, messages: before.messages.length };
  }

  const number = String(((await ctx.kv.get<number>("counters", "tickets")) ?? 0) + 1);
  await ctx.kv.set("counters", "tickets", Number(number));
  await ctx.kv.set("tickets", number, { from: mail.from, subject: mail.subject, messages: [message] } satisfies Ticket);

  // The answer leaves with the ticket's commit, or not at all.
  const [local, domain] = event.subject.split("@");
  await ctx.email.send({
    to: mail.from,
    from: event.subject,
    reply_to: `${local!.split("+")[0]}+${number}@${domain}`,
    subject: `[#${number}] ${mail.subject}`,
    text: `Thank you. Your mail is ticket ${number}; answer to this mail to add to it.\n`,
    headers: mail.headers["message-id"] ? { "In-Reply-To": mail.headers["message-id"] } : {},
  });
  return { ticket: number };
}
