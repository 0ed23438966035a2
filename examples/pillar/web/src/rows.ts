// What comes over the wire is looked at before it is believed.
import type { Category, Label, Marks, Member, Project, Task, User } from './model.js'

export type Fields = Record<string, unknown>

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hasTexts<Name extends string>(value: unknown, ...names: Name[]): value is Record<Name, string> {
  return isFields(value) && names.every((name) => typeof value[name] === 'string')
}

function hasNumbers<Name extends string>(value: unknown, ...names: Name[]): value is Record<Name, number> {
  return isFields(value) && names.every((name) => typeof value[name] === 'number')
}

export const isUser = (value: unknown): value is User => hasTexts(value, 'id', 'name')

export const isProject = (value: unknown): value is Project => hasTexts(value, 'id', 'name')

export const isTask = (value: unknown): value is Task =>
  hasTexts(value, 'id', 'projectId', 'title', 'columnId') && hasNumbers(value, 'order', 'updatedAt')

export const isMember = (value: unknown): value is Member => hasTexts(value, 'projectId', 'userId', 'role')

export const isLabel = (value: unknown): value is Label => hasTexts(value, 'id', 'name', 'color')

export const isCategory = (value: unknown): value is Category => hasTexts(value, 'id', 'name')

export const isMarks = (value: unknown): value is Marks =>
  hasTexts(value, 'taskId') && 'labelIds' in value && Array.isArray(value.labelIds)

export interface Places {
  tasks: { id: string; order: number }[]
}

const isPlace = (value: unknown): boolean => hasTexts(value, 'id') && hasNumbers(value, 'order')

export const isPlaces = (value: unknown): value is Places =>
  isFields(value) && Array.isArray(value['tasks']) && value['tasks'].every(isPlace)
