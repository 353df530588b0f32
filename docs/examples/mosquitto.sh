#!/bin/sh
# Following and commanding Mien from a shell. BROKER and DEVICE from the environment.
BROKER=${BROKER:-127.0.0.1}
DEVICE=${DEVICE:-+}

case ${1:-help} in
all)      # everything, readable
    mosquitto_sub -h "$BROKER" -t "mien/$DEVICE/#" -v ;;
events)   # one line an event: time, device, face, change, probability
    mosquitto_sub -h "$BROKER" -t "mien/$DEVICE/event" |
        jq -r --unbuffered '[.at, .device_id, .track_id, .event_type, .previous // "-",
                             .expression, .probability] | @tsv' ;;
csv)      # the same for a spreadsheet; second copies dropped by device, boot and seq
    mosquitto_sub -h "$BROKER" -q 1 -t "mien/$DEVICE/event" |
        jq -rn --unbuffered 'foreach inputs as $e ({};
            "\($e.device_id) \($e.boot_id) \($e.seq)" as $key | .fresh = (.[$key] == null) |
            .[$key] = true; if .fresh then $e else empty end) |
            [.device_id, .at, .event_type, .track_id, .expression, .probability,
             .historical] | @csv' ;;
problems) # devices that are away or say that something is wrong
    mosquitto_sub -h "$BROKER" -t "mien/$DEVICE/availability" -t "mien/$DEVICE/health" -v |
        grep --line-buffered -e ' offline$' -e '"problem":"' ;;
threshold) # mosquitto.sh threshold 0.6
    mosquitto_pub -q 1 -h "$BROKER" -t "mien/$DEVICE/command/set" \
        -m "{\"settings\": {\"smoothing.threshold\": $2}}" ;;
pause | resume | identify)
    mosquitto_pub -q 1 -h "$BROKER" -t "mien/$DEVICE/command/$1" -m '{}' ;;
*)
    sed -n 's/^\([a-z |]*\))  *#/\1:/p' "$0" ;;
esac
