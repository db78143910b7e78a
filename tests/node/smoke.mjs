// The official client for Node, unmodified, with its base path changed: every method of its wrapper class, and the
// controllers that its users call most. Each step prints one line of JSON: its name, and what went wrong, if anything.
//
// tests/live/test_node.py runs it: URL and KEY say where, MODULES where the client is installed.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { MailSlurp } = createRequire(`${process.env.MODULES}/`)("mailslurp-client");
const mailslurp = new MailSlurp({ apiKey: process.env.KEY, basePath: process.env.URL });
const domain = process.env.DOMAIN;

const have = {};

async function step(name, work) {
  let problem = null;
  try {
    await work();
  } catch (error) {
    const said = typeof error?.text === "function" ? await error.text() : null;
    problem = said ?? error?.stack ?? JSON.stringify(error);
  }
  console.log(JSON.stringify({ name, problem }));
}

async function refused(work, status) {
  try {
    await work();
  } catch (error) {
    // The wrapper throws the body, the controllers throw the response.
    assert.equal(error.status, status);
    return typeof error.json === "function" ? await error.json() : error;
  }
  return assert.fail(`it was answered, and not refused with ${status}`);
}

const html = `<html><body><p>Your code is <b>482910</b>.</p>
<a class="button" href="https://example.org/verify?token=4f7a9c21bd">Verify</a></body></html>`;

await step("createInbox", async () => {
  have.bob = await mailslurp.createInbox(`bob-${Date.now()}@${domain}`, "Bob", "his inbox", undefined, true, ["a", "b"]);
  assert.match(have.bob.emailAddress, /^bob-/);
  assert.deepEqual(have.bob.tags, ["a", "b"]);
  assert.equal(have.bob.favourite, true);
  assert.ok(have.bob.createdAt instanceof Date);
  assert.ok(Math.abs(Date.now() - have.bob.createdAt.getTime()) < 3_600_000);
});

await step("createInboxWithOptions", async () => {
  const expiresAt = new Date(Date.now() + 86_400_000);
  have.ann = await mailslurp.createInboxWithOptions({ name: "Ann", tags: [], expiresAt });
  assert.equal(have.ann.name, "Ann");
  assert.equal(new Date(have.ann.expiresAt).getTime(), expiresAt.getTime());
});

await step("getInbox", async () => {
  assert.equal((await mailslurp.getInbox(have.ann.id)).emailAddress, have.ann.emailAddress);
});

await step("getInboxes", async () => {
  const ids = (await mailslurp.getInboxes()).map((inbox) => inbox.id);
  assert.ok(ids.includes(have.ann.id) && ids.includes(have.bob.id));
});

await step("getAllInboxes", async () => {
  const page = await mailslurp.getAllInboxes(0, 10, true, undefined, "DESC");
  assert.deepEqual(page.content.map((inbox) => inbox.id), [have.bob.id]);
  assert.equal(page.totalElements, 1);
});

await step("uploadAttachment", async () => {
  const base64Contents = Buffer.from("ein Anhang, größer als nichts").toString("base64");
  [have.upload] = await mailslurp.uploadAttachment({ base64Contents, contentType: "text/plain", filename: "a.txt" });
  assert.equal(typeof have.upload, "string");
});

await step("sendEmail", async () => {
  const sent = await mailslurp.sendEmail(have.ann.id, {
    to: [have.bob.emailAddress],
    subject: "Grüße",
    body: html,
    isHTML: true,
    attachments: [have.upload],
  });
  have.sent = sent;
  assert.equal(sent.subject, "Grüße");
  assert.deepEqual(sent.to, [have.bob.emailAddress]);
  assert.equal(sent.attachments.length, 1);
});

await step("waitForLatestEmail", async () => {
  have.email = await mailslurp.waitForLatestEmail(have.bob.id, 10_000, true);
  assert.equal(have.email.subject, "Grüße");
  assert.equal(have.email.from, have.ann.emailAddress);
  assert.match(have.email.body, /482910/);
  assert.equal(have.email.attachments.length, 1);
  assert.equal(have.email.isHTML, true);
});

await step("waitForNthEmail", async () => {
  assert.equal((await mailslurp.waitForNthEmail(have.bob.id, 0, 10_000, false)).id, have.email.id);
});

await step("waitForMatchingEmails", async () => {
  const matches = [{ field: "SUBJECT", should: "CONTAIN", value: "Grü" }];
  const found = await mailslurp.waitForMatchingEmails({ matches }, 1, have.bob.id, 10_000);
  assert.deepEqual(found.map((email) => email.id), [have.email.id]);
});

await step("waitForEmailCount", async () => {
  assert.equal((await mailslurp.waitForEmailCount(1, have.bob.id, 10_000)).length, 1);
});

await step("a wait in vain throws its reason", async () => {
  const body = await refused(() => mailslurp.waitForEmailCount(5, have.bob.id, 100), 408);
  assert.match(body.message, /\w/);
});

await step("getEmail", async () => {
  const email = await mailslurp.getEmail(have.email.id);
  assert.equal(email.read, true);
  assert.ok(email.createdAt instanceof Date && email.updatedAt instanceof Date);
});

await step("getEmails", async () => {
  const since = new Date(Date.now() - 3_600_000);
  const options = { limit: 5, size: 10, sort: "DESC", minCount: 1, retryTimeout: 5_000, since };
  assert.deepEqual((await mailslurp.getEmails(have.bob.id, options)).map((email) => email.id), [have.email.id]);
});

await step("getAllEmails", async () => {
  assert.equal((await mailslurp.getAllEmails(0, 10, [have.bob.id], "DESC", false, "grüße")).totalElements, 1);
  assert.equal((await mailslurp.getAllEmails(0, 10, [], undefined, true)).totalElements, 0);
  assert.ok((await mailslurp.getAllEmails()).totalElements >= 1);
});

await step("getRawEmail", async () => {
  await mailslurp.getRawEmail(have.email.id); // the client reads nothing of it
  const { content } = await mailslurp.emailController.getRawEmailJson({ emailId: have.email.id });
  assert.match(content, /^Subject: /m);
});

await step("getAttachmentMetaData", async () => {
  const told = await mailslurp.getAttachmentMetaData(have.email.attachments[0], have.email.id);
  assert.equal(told.name, "a.txt");
  assert.equal(told.contentLength, 31);
});

await step("downloadAttachment", async () => {
  const [attachment] = have.email.attachments;
  const bytes = Buffer.from(await mailslurp.downloadAttachment(have.email.id, attachment), "utf8");
  assert.equal(bytes.toString(), "ein Anhang, größer als nichts");
});

await step("emailController.getEmailContentMatch", async () => {
  const contentMatchOptions = { pattern: "code is <b>(\\d{6})" };
  const { matches } = await mailslurp.emailController.getEmailContentMatch({ emailId: have.email.id, contentMatchOptions });
  assert.equal(matches[1], "482910");
});

await step("emailController.getEmailCodes", async () => {
  const found = await mailslurp.emailController.getEmailCodes({ emailId: have.email.id });
  assert.equal(found.code, "482910");
});

await step("emailController.getEmailLinks", async () => {
  const { links } = await mailslurp.emailController.getEmailLinks({ emailId: have.email.id, selector: "a.button" });
  assert.deepEqual(links, ["https://example.org/verify?token=4f7a9c21bd"]);
});

await step("emailController.getEmailHTMLQuery", async () => {
  const { lines } = await mailslurp.emailController.getEmailHTMLQuery({ emailId: have.email.id, htmlSelector: "b" });
  assert.deepEqual(lines, ["482910"]);
});

await step("emailController.getEmailPreviewURLs", async () => {
  const urls = await mailslurp.emailController.getEmailPreviewURLs({ emailId: have.email.id });
  const answer = await fetch(urls.plainHtmlBodyUrl, { headers: { "x-api-key": process.env.KEY } });
  assert.match(await answer.text(), /482910/);
});

await step("emailController.getEmailThreads", async () => {
  const page = await mailslurp.emailController.getEmailThreads({ inboxId: have.bob.id });
  assert.equal(page.content[0].messageCount, 2, "what Ann sent, and what Bob got");
  const { items } = await mailslurp.emailController.getEmailThreadItems({ threadId: page.content[0].id });
  assert.deepEqual(items.map((item) => item.itemType).sort(), ["RECEIVED_EMAIL", "SENT_EMAIL"]);
});

await step("emailController.validateEmail", async () => {
  assert.equal((await mailslurp.emailController.validateEmail({ emailId: have.email.id })).html.isValid, true);
});

await step("emailController.setEmailFavourited", async () => {
  await mailslurp.emailController.setEmailFavourited({ emailId: have.email.id, favourited: true });
  const page = await mailslurp.userController.getEntityFavorites({ filter: "EMAIL" });
  assert.deepEqual(page.content.map((one) => one.id), [have.email.id]);
});

await step("sentController.getSentEmails", async () => {
  const page = await mailslurp.sentController.getSentEmails({ inboxId: have.ann.id });
  assert.deepEqual(page.content.map((sent) => sent.id), [have.sent.id]);
  assert.equal((await mailslurp.sentController.getSentEmail({ id: have.sent.id })).subject, "Grüße");
});

await step("inboxController.getInboxByEmailAddress", async () => {
  const found = await mailslurp.inboxController.getInboxByEmailAddress({ emailAddress: have.bob.emailAddress });
  assert.equal(found.inboxId, have.bob.id);
});

await step("connectorController", async () => {
  const made = await mailslurp.connectorController.createConnector({ createConnectorOptions: { name: "empty" } });
  const page = await mailslurp.connectorController.getConnectors({ page: 0, size: 20, sort: "DESC" });
  assert.deepEqual(page.content.map((connector) => connector.id), [made.id]);
  assert.equal((await mailslurp.connectorController.getConnectorImapConnection({ id: made.id })).present, false);
  await mailslurp.connectorController.deleteConnector({ id: made.id });
  await mailslurp.deleteInbox(made.inboxId); // it stays when its connector goes
});

await step("userController.getUserInfo", async () => {
  assert.equal((await mailslurp.userController.getUserInfo()).accountState, "ACTIVE");
});

await step("userController.getJsonPropertyAsString", async () => {
  const jsonNode = { nodeType: "STRING" };
  assert.equal(await mailslurp.userController.getJsonPropertyAsString({ property: "nodeType", jsonNode }), "STRING");
});

await step("getImapSmtpAccessDetails is refused in words", async () => {
  const body = await refused(() => mailslurp.getImapSmtpAccessDetails(have.bob.id), 501);
  assert.match(body.message, /getImapSmtpAccess/);
});

await step("a failure throws its body from the wrapper, and its response from a controller", async () => {
  const nobody = "01a203d5-0000-7000-8000-000000000000";
  const body = await refused(() => mailslurp.getEmail(nobody), 404);
  assert.equal(body.errorCode, "W_404_ENTITY_NOT_FOUND");
  await refused(() => mailslurp.emailController.getEmail({ emailId: nobody }), 404);
});

await step("deleteEmail", async () => {
  await mailslurp.deleteEmail(have.email.id);
  await refused(() => mailslurp.getEmail(have.email.id), 404);
});

await step("emptyInbox", async () => {
  await mailslurp.sendEmail(have.ann.id, { to: [have.bob.emailAddress], subject: "again", body: "again" });
  await mailslurp.waitForLatestEmail(have.bob.id, 10_000);
  await mailslurp.emptyInbox(have.bob.id);
  assert.deepEqual(await mailslurp.getEmails(have.bob.id), []);
});

await step("deleteInbox", async () => {
  for (const inbox of [have.ann, have.bob]) await mailslurp.deleteInbox(inbox.id);
  assert.equal((await mailslurp.getAllInboxes()).totalElements, 0);
});
