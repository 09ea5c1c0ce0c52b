interface SignUp {
  id: string;
  name: string;
  plan?: string;
}

/** Makes the profile of a new user and says so: who hears of that is not its business. */
export default async function (event: TopicEvent<SignUp>, ctx: Context) {
  const { id, name, plan = "free" } = event.data;
  await ctx.kv.set("profiles", id, { name, plan, since: event.time });
  await ctx.topics.publish("user.ready", { id });
}
