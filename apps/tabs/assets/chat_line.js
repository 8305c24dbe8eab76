// What a visitor sends to the chat, until it is answered: it stands in the conversation at once, and goes back into the box if it is refused.
"use strict";

const ChatLine = (() => {
  const BUBBLE = '<div class="tc-asked tc-waiting">'; // no other message begins so: what people write is escaped
  const BOX = "#chat-box textarea, #chat-box input";

  class Line {
    /** trigger(event, data): of the component that the page listens to. */
    constructor(trigger) {
      this.trigger = trigger;
      this.waiting = []; // {number, text, shown, typed}, the oldest first
      this.count = 0;
      this.chips();
    }

    /** Send a text of some kind; what can be `shown` of it stands in the conversation until the answer comes. */
    send(kind, text, shown = "", typed = false) {
      const number = ++this.count;
      this.waiting.push({ number, text, shown, typed });
      if (shown) this.trigger("posted");
      this.trigger("submit", { kind, text, number });
    }

    /** Take what stands in the box; returns what is to stand there then. */
    typed(text) {
      if (text) this.send("message", text, text.trim(), true);
      return "";
    }

    /** The conversation with what waits below it. */
    below(talk) {
      const bubbles = this.waiting.filter(({ shown }) => shown).map(({ shown }) => ({ role: "user", content: [{ type: "text", text: `${BUBBLE}${escaped(shown)}</div>` }] }));
      return [...(talk ?? []).filter((message) => !message.content[0]?.text?.startsWith(BUBBLE)), ...bubbles];
    }

    /** An answer came: its message waits no longer, nor does any before it, which was lost on the way. */
    answered(number, refused) {
      const sent = this.waiting.find((message) => message.number === number);
      this.waiting = this.waiting.filter((message) => message.number > number);
      if (refused && sent?.typed) this.back(sent.text);
    }

    /** The last message found no place in the queue. */
    lost() {
      const sent = this.waiting.pop();
      if (sent?.typed) this.back(sent.text);
    }

    /** Into the box again, unless something else stands there by now. */
    back(text) {
      const box = document.querySelector(BOX);
      if (box.value) return;
      box.value = text;
      box.dispatchEvent(new Event("input", { bubbles: true }));
    }

    /** A chip is a message, sent like all others; the keyboard's focus, which it takes along, goes to the box. */
    chips() {
      const take = (event) => {
        const chip = event.target.closest?.("#chat-talk .option");
        if (!chip) return;
        event.stopPropagation();
        // A finger's tap is left out: the box would bring up the keyboard of the phone.
        if (event.detail === 0 || !matchMedia("(pointer: coarse)").matches) document.querySelector(BOX).focus({ preventScroll: true });
        this.send("message", chip.textContent, chip.textContent);
      };
      document.addEventListener("click", take, { capture: true }); // the conversation may not be there yet
    }
  }

  const escaped = (text) => Object.assign(document.createElement("i"), { textContent: text.replace(/\s+/g, " ") }).innerHTML;

  return { Line };
})();
