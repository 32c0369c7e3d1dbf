#ifndef KVOLT_HUB_RESULTS_HPP
#define KVOLT_HUB_RESULTS_HPP

namespace kvolt {

/// What became of a message to a room, a seat or a key.
enum class BroadcastResult {
    taken,    ///< It has its place in the order: whom it is for gets it, unless he is too slow.
    invalid,  ///< Refused: text that is not UTF-8. Whoever got it would have to end his connection.
    full,     ///< Refused: more is under way than HubOptions::queue() allows.
    limited,  ///< Refused: the seat is over its HubOptions::rate().
    nobody,   ///< Refused: the seat is in no room any more; or the seat or the key is the one that nobody has.
    stopped,  ///< Refused: the app has stopped, or stops.
};

}  // namespace kvolt

#endif
