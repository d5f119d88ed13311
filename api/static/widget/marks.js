/* What this browser remembers about a conversation and the bridge does not: what was read and which buttons were used. */
const REMEMBERED_BUTTONS = 100;

class Marks {
  constructor(key) {
    this.seenSlot = key + ":seen";
    this.usedSlot = key + ":used";
  }

  use(conversationId, seq, buttonId) {
    const used = store.read(this.usedSlot, []);
    store.write(this.usedSlot, [...used, [conversationId, seq, buttonId]].slice(-REMEMBERED_BUTTONS));
  }

  /* The id of the button already pressed under a message, or null. */
  usedOf(conversationId, seq) {
    const found = store.read(this.usedSlot, []).find((one) => one[0] === conversationId && one[1] === seq);
    return found ? found[2] : null;
  }

  read(conversationId, seq) {
    store.write(this.seenSlot, { conversation: conversationId, seq });
  }

  /* The sequence number up to which this conversation has been read. */
  readTo(conversationId) {
    const seen = store.read(this.seenSlot, {});
    return seen.conversation === conversationId ? seen.seq : 0;
  }

  forget() {
    store.remove(this.seenSlot);
    store.remove(this.usedSlot);
  }
}
