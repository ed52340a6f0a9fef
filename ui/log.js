// SPDX-License-Identifier: Apache-2.0
"use strict";
// The output of a step becomes plain text, without escape sequences and without characters that
// overlay others or change the direction of text. Of a line that carriage returns overwrote, the
// last state is shown, as on a terminal.

// Characters that are invisible, or that change the direction of the text around them. Variation
// selectors are not among them, because they belong to the character before them; nor are joiners
// between emoji.
const unseen = /(?<=[\u2190-\u2bff\ufe0f\u{1f000}-\u{1faff}])(\u200d)(?=[\u2190-\u2bff\u{1f000}-\u{1faff}])|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e00ff}\u{e01f0}-\u{e0fff}]/gu;
const named = (c) => "<U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + ">";

// A name, title or reason from a repository or a forge, on one line and with all of it visible.
function plain(text) {
  return String(text).replace(/[\t\n]/g, " ").replace(unseen, (c, joiner) => joiner || named(c));
}

const escapes = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])/g;
const halfEscape = /\x1b(?:\[[0-?]*[ -/]*|[\]P^_X][^\x07\x1b\n]{0,4096}\x1b?|[ -/]*)?$/;
const harmful = /[\x00-\x08\x0b-\x1f\x7f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const harmless = (text) => text.replace(harmful, named);

// The visible part of a line. Carriage returns at its end have no text after them yet.
function paintedOver(line) {
  const end = line.replace(/\r+$/, "");
  return end.slice(end.lastIndexOf("\r") + 1);
}

// LogText appends a log to a <pre>. write() takes bytes, and end() writes an unfinished character.
class LogText {
  constructor(pre, limit) {
    this.pre = pre;
    this.limit = limit; // only so many characters at the end are kept
    this.clear();
  }

  clear() {
    this.pre.replaceChildren();
    this.decoder = new TextDecoder();
    this.held = ""; // an escape sequence that is not complete yet
    this.line = ""; // the unfinished line, without its overwritten part
    this.tail = null; // text node of the unfinished line
    this.shown = 0;
  }

  write(bytes) {
    this.take(this.decoder.decode(bytes, { stream: true }));
  }

  end() {
    this.take(this.decoder.decode() + this.held.replace(/\x1b/g, ""));
  }

  take(decoded) {
    let text = this.held + decoded;
    const half = text.search(halfEscape);
    this.held = half >= 0 && text.length - half < 8192 ? text.slice(half) : "";
    text = text.slice(0, text.length - this.held.length).replace(escapes, "");
    const lines = (this.line + text).split("\n");
    this.line = lines.pop();
    if (this.line.includes("\r")) this.line = paintedOver(this.line) + this.line.match(/\r*$/)[0];
    const atEnd = this.pre.scrollTop + this.pre.clientHeight >= this.pre.scrollHeight - 8;
    if (lines.length) this.append(lines.map((line) => paintedOver(line) + "\n").join(""));
    if (this.line.length > 65536 && !this.line.includes("\r")) { // do not redraw an endless line
      this.append(this.line);
      this.line = "";
    }
    this.drawTail();
    if (atEnd) this.pre.scrollTop = this.pre.scrollHeight;
  }

  append(text) {
    const node = document.createTextNode(harmless(text));
    this.pre.insertBefore(node, this.tail);
    this.shown += node.length;
    while (this.shown > this.limit && this.pre.firstChild !== node) {
      this.shown -= this.pre.firstChild.length;
      this.pre.firstChild.remove();
    }
  }

  drawTail() {
    const text = harmless(paintedOver(this.line));
    if (!this.tail && text) this.pre.append((this.tail = document.createTextNode("")));
    if (this.tail && this.tail.data !== text) this.tail.data = text;
  }
}

// The position of a stream in the log of a step. If the log was cut, the stream has a line of text
// in place of the missing bytes, and the header Runbook-Log-Cut of the answer has the place of both:
// FIRST-LAST/LENGTH.
class LogPlace {
  constructor() {
    this.offset = 0; // in the log
  }

  // A new answer begins at this.offset.
  begin(header) {
    const found = /^(\d+)-(\d+)\/(\d+)$/.exec(header || "");
    const [first, last, text] = found ? found.slice(1).map(Number) : [];
    this.cut = found && last >= first && last >= this.offset ? { first, end: last + 1, text } : null;
  }

  count(bytes) {
    const cut = this.cut;
    if (!cut || this.offset + bytes < cut.first) {
      this.offset += bytes;
      return;
    }
    const before = Math.max(cut.first - this.offset, 0);
    const text = Math.min(bytes - before, cut.text);
    cut.text -= text;
    this.offset += before;
    if (cut.text > 0) return; // the rest of the text has not arrived
    this.cut = null;
    this.offset = cut.end + bytes - before - text;
  }
}
